"""Clips with captions, encoded once for a run and mapped: what generators are trained on."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, final, runtime_checkable

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.errors import OptionError, TrainingError
from tubelet.files import replacing
from tubelet.generate.known_tokenizer import KnownTokenizer, continuous_of, decodable, read_tokenizer
from tubelet.generate.tokens.digits import split_bases, split_digits
from tubelet.json_text import of_kind, read_json
from tubelet.tokenizers.discrete import DiscreteTokenizer

_SAMPLES = 1024
"""Clips from which mean and deviation of each channel are measured."""

_PAUSE = 0.5
"""Seconds between two looks whether another process is done."""


class CaptionedClip(NamedTuple):
    """A clip as its tokenizer gives it, and what is seen in it.

    Attributes:
        encoded: its latent, ``c t h w``; or its digits, whole numbers ``d t h w``, by a discrete tokenizer.
        caption: what is seen.
    """

    encoded: Tensor
    caption: str


@runtime_checkable
class CaptionedClips(Protocol):
    """Where clips with captions come from."""

    def facts(self) -> dict[str, Any]:
        """What says which clips they are, in values that JSON holds."""
        ...

    @property
    def fps(self) -> float:
        """Frames per second."""
        ...

    def __len__(self) -> int:
        """How many clips there are at most."""
        ...

    def encoded(self, known: KnownTokenizer) -> Iterator[CaptionedClip]:
        """All clips, of one shape: latents by a continuous tokenizer, digits by a discrete one."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionedLatents:
    """Latents of captioned clips by one tokenizer.

    Attributes:
        values: ``n c t h w``, in half precision.
        captions: of each.
        fps: frames per second.
        tokenizer: who made them.
        facts: which clips they are.
    """

    values: np.ndarray
    captions: tuple[str, ...]
    fps: float
    tokenizer: KnownTokenizer
    facts: dict[str, Any]

    def statistics(self) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
        """Mean and standard deviation of each channel, over some clips from all of them."""
        chosen = range(0, len(self.values), max(1, len(self.values) // _SAMPLES))
        sample = torch.stack([torch.from_numpy(self.values[index].astype(np.float64)) for index in chosen])
        flat = rearrange(sample, "n c t h w -> c (n t h w)")
        return flat.mean(dim=1).float(), flat.std(dim=1).clamp_min(1e-4).float()

    def pixel_deviations(self, deviation: Float[Tensor, " c"]) -> Float[Tensor, " c"]:
        """By how much each channel moves pixels when it moves by its deviation."""
        (units,) = continuous_of(self.tokenizer).model.pixel_units().values()
        return units.detach().cpu().float()[: len(deviation)] * deviation


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionedDigits:
    """Digits of captioned clips by one discrete tokenizer.

    Attributes:
        values: ``n d t h w``, after `split_digits`.
        captions: of each.
        fps: frames per second.
        tokenizer: who made them.
        bases: how many values each digit has.
        facts: which clips they are.
    """

    values: np.ndarray
    captions: tuple[str, ...]
    fps: float
    tokenizer: KnownTokenizer
    bases: tuple[int, ...]
    facts: dict[str, Any]


def encode_latents(
    name: str,
    clips: CaptionedClips,
    folder: Path,
    *,
    on_clip: Callable[[int, int], None],
    waits: bool = False,
) -> CaptionedLatents:
    """Encode clips to latents, or map what an earlier session or another process of the run encoded.

    Of a discrete tokenizer they are what its digits stand for.

    Args:
        name: of the tokenizer.
        clips: with their captions.
        folder: of the run; the latents lie there.
        on_clip: called with how many are done, and of how many at most.
        waits: whether another process encodes, for which this one waits.

    Raises:
        CheckpointError: the tokenizer cannot be read.
        OptionError: its latents have several parts, or there are no clips for it.
    """
    known = read_tokenizer(name)

    def convert(encoded: Tensor) -> np.ndarray:
        return decodable(known, encoded[None])[0].to("cpu", torch.float16).numpy()

    files = _Files(folder / "latents.npy", folder / "latents.json")
    values, captions = _encoded(known, clips, files, convert, on_clip, waits=waits)
    return CaptionedLatents(
        values=values, captions=captions, fps=clips.fps, tokenizer=known, facts=clips.facts()
    )


def encode_digits(
    name: str,
    clips: CaptionedClips,
    folder: Path,
    *,
    on_clip: Callable[[int, int], None],
    waits: bool = False,
) -> CaptionedDigits:
    """Encode clips to digits; arguments and errors as `encode_latents`.

    Raises:
        OptionError: the tokenizer gives no tokens.
    """
    known = read_tokenizer(name)
    tokenizer = known.tokenizer
    if not isinstance(tokenizer, DiscreteTokenizer):
        raise OptionError(
            f"{known.name} gives latents, and a generator of tokens learns from tokens. Name a discrete "
            "tokenizer, such as tubelet-fsq, by --tokenizer; or train dit."
        )
    bases = split_bases(tokenizer.bases)

    def convert(encoded: Tensor) -> np.ndarray:
        return split_digits(encoded[None].cpu(), tokenizer.bases)[0].to(torch.uint8).numpy()

    files = _Files(folder / "digits.npy", folder / "digits.json")
    values, captions = _encoded(known, clips, files, convert, on_clip, waits=waits)
    return CaptionedDigits(
        values=values, captions=captions, fps=clips.fps, tokenizer=known, bases=bases, facts=clips.facts()
    )


def read_encoded(run: Path, known: KnownTokenizer, *, digits: bool) -> np.ndarray:
    """The latents ``n c t h w``, or split digits ``n d t h w``, that a run of a generator was trained on.

    Raises:
        OptionError: the folder has none, or those of another tokenizer.
    """
    name = "digits" if digits else "latents"
    stored = _stored(run / f"{name}.json")
    if stored is None or stored["facts"].get("sha256") != known.sha256:
        raise OptionError(
            f"{run} holds no {name} by {known.name}; give the folder that `tubelet train` was given for this "
            "generator."
        )
    return np.load(run / f"{name}.npy", mmap_mode="r", allow_pickle=False)[: len(stored["captions"])]


class _Files(NamedTuple):
    """Where what is encoded lies: an array, and what says of which clips it is."""

    data: Path
    facts: Path


def _encoded(
    known: KnownTokenizer,
    clips: CaptionedClips,
    files: _Files,
    convert: Callable[[Tensor], np.ndarray],
    on_clip: Callable[[int, int], None],
    *,
    waits: bool,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The array of all clips, mapped, and their captions; encoded first, if no one has done so."""
    facts = json.loads(json.dumps({"sha256": known.sha256, "clips": clips.facts()}))
    stored = _stored(files.facts)
    while waits and (stored is None or stored["facts"] != facts):
        time.sleep(_PAUSE)
        stored = _stored(files.facts)
    if stored is None or stored["facts"] != facts:
        captions = _encode(known, clips, files.data, convert, on_clip)
        stored = {"facts": facts, "captions": captions}
        with replacing(files.facts, force=True) as beside:
            beside.write_text(json.dumps(stored), encoding="utf-8")
    values = np.load(files.data, mmap_mode="r", allow_pickle=False)
    captions = tuple(stored["captions"])
    if len(captions) > len(values):
        raise TrainingError(
            f"{files.data} holds {len(values)} {files.data.stem} for {len(captions)} captions; it is "
            "damaged. Remove it, and it is made again."
        )
    return values[: len(captions)], captions


def _stored(path: Path) -> dict[str, Any] | None:
    """What an earlier session wrote; none if there is nothing that can be used."""
    try:
        stored = of_kind(read_json(path), dict, "content")
        of_kind(stored["facts"], dict, "facts")
        for caption in of_kind(stored["captions"], list, "captions"):
            of_kind(caption, str, "caption")
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return stored


@torch.inference_mode()
def _encode(
    known: KnownTokenizer,
    clips: CaptionedClips,
    path: Path,
    convert: Callable[[Tensor], np.ndarray],
    on_clip: Callable[[int, int], None],
) -> list[str]:
    """Write clips as they are encoded; give their captions."""
    values: np.ndarray | None = None
    captions: list[str] = []
    for index, (encoded, caption) in enumerate(clips.encoded(known)):
        made = convert(encoded)
        if values is None:
            values = np.lib.format.open_memmap(path, "w+", made.dtype, (len(clips), *made.shape))
        values[index] = made
        captions.append(caption)
        on_clip(index + 1, len(clips))
    if not captions:
        raise OptionError("there are no clips to train on.")
    return captions
