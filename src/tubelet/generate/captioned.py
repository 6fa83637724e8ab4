"""Latents with captions, computed once for a run and mapped: what generators are trained on."""

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

from tubelet import checkpoint
from tubelet.checkpoint import Checkpoint
from tubelet.errors import OptionError, TrainingError
from tubelet.files import replacing
from tubelet.json_text import of_kind, read_json
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.types import Latent

_DATA = "latents.npy"
_FACTS = "latents.json"
_SAMPLES = 1024
"""Clips from which mean and deviation of each channel are measured."""

_PAUSE = 0.5
"""Seconds between two looks whether another process is done."""

KnownTokenizer = Checkpoint[ContinuousTokenizer] | Checkpoint[DiscreteTokenizer]


class CaptionedLatent(NamedTuple):
    """The latent of a clip, ``c t h w``, and what is seen in it."""

    latent: Float[Tensor, "c t h w"]
    caption: str


@runtime_checkable
class CaptionedClips(Protocol):
    """Where latents with captions come from."""

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

    def latents(self, known: KnownTokenizer) -> Iterator[CaptionedLatent]:
        """The latents of all clips, of one shape."""
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


def read_tokenizer(name: str, *, device: str = "cpu") -> KnownTokenizer:
    """Read a tokenizer of either kind.

    Raises:
        CheckpointError: it is unknown or damaged.
        OptionError: its latent has several parts.
    """
    known: KnownTokenizer = (
        checkpoint.read_discrete(name, device=device)
        if checkpoint.architecture(name) == "discrete"
        else checkpoint.read_continuous(name, device=device)
    )
    if len(parts := continuous_of(known).parts) > 1:
        raise OptionError(
            f"{known.name} gives a latent of {len(parts)} parts, and generators make those of one. Choose "
            "another tokenizer."
        )
    return known


def continuous_of(known: KnownTokenizer) -> ContinuousTokenizer:
    """What makes video of latents: the tokenizer itself, or what is behind its digits."""
    tokenizer = known.tokenizer
    return tokenizer.backbone if isinstance(tokenizer, DiscreteTokenizer) else tokenizer


def encode_captioned(
    name: str,
    clips: CaptionedClips,
    folder: Path,
    *,
    on_clip: Callable[[int, int], None],
    waits: bool = False,
) -> CaptionedLatents:
    """Encode clips, or map what an earlier session or another process of the same run encoded.

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
    facts = json.loads(json.dumps({"sha256": known.sha256, "clips": clips.facts()}))
    stored = _stored(folder / _FACTS)
    while waits and (stored is None or stored["facts"] != facts):
        time.sleep(_PAUSE)
        stored = _stored(folder / _FACTS)
    if stored is None or stored["facts"] != facts:
        captions = _encode(known, clips, folder / _DATA, on_clip)
        stored = {"facts": facts, "captions": captions}
        with replacing(folder / _FACTS, force=True) as beside:
            beside.write_text(json.dumps(stored), encoding="utf-8")
    values = np.load(folder / _DATA, mmap_mode="r", allow_pickle=False)
    captions = tuple(stored["captions"])
    if len(captions) > len(values):
        raise TrainingError(
            f"{folder / _DATA} holds {len(values)} latents for {len(captions)} captions; it is damaged. "
            "Remove it, and it is made again."
        )
    return CaptionedLatents(
        values=values[: len(captions)],
        captions=captions,
        fps=clips.fps,
        tokenizer=known,
        facts=clips.facts(),
    )


def quantized(known: KnownTokenizer, latent: Latent) -> Latent:
    """A latent as its tokenizer hands it to its decoder: of a discrete one, what its digits stand for."""
    tokenizer = known.tokenizer
    if not isinstance(tokenizer, DiscreteTokenizer):
        return latent
    return tokenizer.quantizer.dequantize(tokenizer.quantizer.quantize(latent))


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
    known: KnownTokenizer, clips: CaptionedClips, path: Path, on_clip: Callable[[int, int], None]
) -> list[str]:
    """Write the latents of clips; give their captions."""
    values: np.ndarray | None = None
    captions: list[str] = []
    for index, (latent, caption) in enumerate(clips.latents(known)):
        made = latent.to("cpu", torch.float16).numpy()
        if values is None:
            values = np.lib.format.open_memmap(path, "w+", made.dtype, (len(clips), *made.shape))
        values[index] = made
        captions.append(caption)
        on_clip(index + 1, len(clips))
    if not captions:
        raise OptionError("there are no clips to train on.")
    return captions
