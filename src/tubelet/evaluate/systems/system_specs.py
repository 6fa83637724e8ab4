"""The texts of systems, taken apart.

```text
tubelet-m@16                    the first 16 channels of the latent, not quantised
tubelet-m@16:step=1             the same through a .tube file: quantised, range-coded, bytes on disk
tubelet-flow@4:refine=4,seed=1  refined in 4 steps of its flow, with noise of this seed
tubelet-m:way=whole             all latent steps of a clip at once, where no protocol decides that
my/folder                       a checkpoint; a discrete one goes through a .tube file of tokens
x264:crf=28,preset=medium       a codec, as an elementary stream
diffusers:my/vae,tiling=true    an autoencoder of diffusers, a folder or an id of the hub
onnx:my/folder@16               what `tubelet export` wrote, run by onnxruntime
openvino:my/folder              the same of --format openvino, run by OpenVINO
diffusers:AutoencoderKLWan      the same by its class, with random weights, to be timed
```
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from tubelet.errors import OptionError

EXPORTED = ("onnx", "openvino")
"""What stands before the colon in the texts of exported tokenizers."""


class SystemSpec(NamedTuple):
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

    def flag(self, name: str, *, default: bool = False) -> bool:
        """An option that is true or false; the default if it is not there.

        Raises:
            OptionError: it is neither.
        """
        value = self.options.get(name, str(default).lower())
        if value not in {"true", "false"}:
            raise OptionError(f"{self.text!r} has {name}={value}; it is true or false.")
        return value == "true"

    def whole_number(self, name: str, *, high: int) -> int:
        """An option that is a whole number from 0; 0 if it is not there.

        Raises:
            OptionError: it is no such number, or above `high`.
        """
        value = self.options.get(name, "0")
        if not re.fullmatch(r"\d{1,18}", value, flags=re.ASCII) or int(value) > high:
            raise OptionError(f"{self.text!r} has {name}={value}; it is a whole number from 0 to {high}.")
        return int(value)

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


def check_texts(texts: Sequence[str]) -> None:
    """Raise unless there are texts, and each is there once.

    Raises:
        OptionError: there is none, or one twice.
    """
    if not texts or len(set(texts)) < len(texts):
        raise OptionError(f"the systems are {', '.join(texts) or 'none'}; give one or more, each once.")


def tokenizer_spec(text: str) -> tuple[SystemSpec, int | None]:
    """Take ``NAME[@CHANNELS][:OPTION=VALUE,…]`` apart; channels are none where the text has none.

    Raises:
        OptionError: it is empty, or its options are not NAME=VALUE.
    """
    match = re.fullmatch(r"(?P<name>.+?)(?:@(?P<channels>\d{1,6}))?(?::(?P<options>\w+=[^:/]*))?", text)
    if match is None:
        raise OptionError("an empty text names no system; give one such as tubelet-m@16 or x264:crf=28.")
    channels = match["channels"]
    spec = SystemSpec(text, match["name"], _options(text, match["options"] or ""))
    return spec, None if channels is None else int(channels)


def codec_spec(text: str) -> SystemSpec:
    """Take ``NAME:OPTION=VALUE,…`` apart.

    Raises:
        OptionError: its options are not NAME=VALUE.
    """
    name, _, options = text.partition(":")
    return SystemSpec(text, name, _options(text, options))


def diffusers_spec(text: str) -> SystemSpec:
    """Take ``diffusers:PLACE[,OPTION=VALUE,…]`` apart; the name is the place.

    Raises:
        OptionError: it names no place, or its options are not NAME=VALUE.
    """
    place, _, options = text.partition(":")[2].partition(",")
    if not place:
        raise OptionError(f"{text!r} names no autoencoder; give diffusers:FOLDER or diffusers:ID_OF_THE_HUB.")
    return SystemSpec(text, place, _options(text, options))


def _options(text: str, listed: str) -> dict[str, str]:
    """Read ``a=1,b=2``."""
    found: dict[str, str] = {}
    for word in listed.split(",") if listed else ():
        name, equals, value = word.partition("=")
        if not (equals and name and value) or name in found:
            raise OptionError(f"{text!r} has the option {word!r}; options are NAME=VALUE, each once.")
        found[name] = value
    return found
