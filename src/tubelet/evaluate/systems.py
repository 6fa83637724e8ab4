"""What is evaluated, from text: our tokenizers, codecs, and tokenizers of others, all behind one door.

```text
tubelet-m@16                    the first 16 channels of the latent, not quantised
tubelet-m@16:step=1             the same through a .tube file: quantised, range-coded, bytes on disk
my/folder                       a checkpoint; a discrete one goes through a .tube file of tokens
x264:crf=28,preset=medium       a codec, as an elementary stream
diffusers:my/vae,tiling=true    an autoencoder of diffusers, a folder or an id of the hub
```
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple, Protocol, runtime_checkable

from tubelet.errors import OptionError
from tubelet.evaluate.measures import Grid
from tubelet.types import Frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """What came back of a clip, and what it cost.

    Attributes:
        frames: of the length and size of the clip.
        bytes_on_disk: of everything that a decoder needs but the decoder; none where nothing was coded.
        nominal_bits: bits of the tokens if each took log2 of its codebook; none where there are no tokens.
        entropy_bits: zeroth-order entropy of the symbols; none where none were coded.
        numbers: numbers in the latent; none where there is no latent.
        seconds_encode: time from frames to bytes or latent.
        seconds_decode: time back.
    """

    frames: Frames
    bytes_on_disk: int | None = None
    nominal_bits: float | None = None
    entropy_bits: float | None = None
    numbers: int | None = None
    seconds_encode: float
    seconds_decode: float


@runtime_checkable
class System(Protocol):
    """Anything that gives a clip back."""

    @property
    def grid(self) -> Grid | None:
        """Where its patches lie; none where there are none, or nobody knows."""
        ...

    def facts(self) -> dict[str, Any]:
        """Who it is, fully enough that equal facts mean equal frames on one machine."""
        ...

    def reconstruct(self, frames: Frames, rate: Fraction) -> Reconstruction:
        """Encode and decode a clip of any length and size.

        Args:
            frames: the clip.
            rate: frames per second.
        """
        ...


class Words(NamedTuple):
    """The text of a system, taken apart.

    Attributes:
        text: all of it.
        name: what stands before the options.
        options: by name.
    """

    text: str
    name: str
    options: dict[str, str]

    def only(self, *names: str) -> dict[str, str]:
        """The options, if there are no others than these.

        Raises:
            OptionError: there are others.
        """
        if unknown := sorted(self.options.keys() - set(names)):
            raise OptionError(
                f"{self.text!r} has the option {unknown[0]!r}; options here are {', '.join(names) or 'none'}."
            )
        return self.options

    def flag(self, name: str) -> bool:
        """An option that is true or false; false if it is not there.

        Raises:
            OptionError: it is neither.
        """
        value = self.options.get(name, "false")
        if value not in {"true", "false"}:
            raise OptionError(f"{self.text!r} has {name}={value}; it is true or false.")
        return value == "true"

    def number(self, name: str, *, low: float, high: float) -> float:
        """An option that is a number and must be there.

        Raises:
            OptionError: it is missing, no number, or out of range.
        """
        try:
            value = float(self.options[name])
        except (KeyError, ValueError):
            value = float("nan")
        if not low <= value <= high:
            raise OptionError(
                f"{self.text!r} needs {name}=NUMBER from {low:g} to {high:g}, such as "
                f"{self.text.partition(':')[0]}:{name}=…; it has {self.options.get(name)!r}."
            )
        return value


def open_system(text: str, *, at_once: bool, device: str = "cpu") -> System:
    """Make a system ready to work.

    Args:
        text: as the module shows.
        at_once: whether tokenizers work on all latent steps together (`Protocol.at_once`).
        device: where networks compute: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        OptionError: the text has no meaning, an extra is not installed, or there is no such device here.
        CheckpointError: there is no such tokenizer, or it is damaged.
    """
    # They need this module's nouns.
    from tubelet.evaluate.codecs import CODECS, open_codec  # noqa: PLC0415
    from tubelet.evaluate.foreign import open_foreign  # noqa: PLC0415
    from tubelet.evaluate.ours import open_ours  # noqa: PLC0415

    prefix, colon, rest = text.partition(":")
    if colon and prefix in CODECS:
        return open_codec(Words(text, prefix, _options(text, rest)))
    if colon and prefix == "diffusers":
        return open_foreign(diffusers_words(text, rest), device=device)
    words, channels = tokenizer_words(text)
    return open_ours(words, channels=channels, at_once=at_once, device=device)


def tokenizer_words(text: str) -> tuple[Words, int | None]:
    """Take ``NAME[@CHANNELS][:OPTION=VALUE,…]`` apart; channels are none where the text has none.

    Raises:
        OptionError: it is empty, or its options are not NAME=VALUE.
    """
    match = re.fullmatch(r"(?P<name>.+?)(?:@(?P<channels>\d{1,6}))?(?::(?P<options>\w+=[^:/]*))?", text)
    if match is None:
        raise OptionError("an empty text names no system; give one such as tubelet-m@16 or x264:crf=28.")
    channels = match["channels"]
    words = Words(text, match["name"], _options(text, match["options"] or ""))
    return words, None if channels is None else int(channels)


def diffusers_words(text: str, rest: str) -> Words:
    """Take ``PLACE[,OPTION=VALUE,…]`` apart, what follows ``diffusers:`` in a text.

    Raises:
        OptionError: it names no place, or its options are not NAME=VALUE.
    """
    place, _, options = rest.partition(",")
    if not place:
        raise OptionError(f"{text!r} names no autoencoder; give diffusers:FOLDER or diffusers:ID_OF_THE_HUB.")
    return Words(text, place, _options(text, options))


def _options(text: str, words: str) -> dict[str, str]:
    """Read ``a=1,b=2``."""
    found: dict[str, str] = {}
    for word in words.split(",") if words else ():
        name, equals, value = word.partition("=")
        if not (equals and name and value) or name in found:
            raise OptionError(f"{text!r} has the option {word!r}; options are NAME=VALUE, each once.")
        found[name] = value
    return found
