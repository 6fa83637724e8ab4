"""The latents of prepared crops, computed once for a run and mapped: encoding costs more than the prior."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tubelet import checkpoint
from tubelet.checkpoint import Checkpoint
from tubelet.codec.symbols import BASE_STEP
from tubelet.data.crops import Crops
from tubelet.errors import OptionError
from tubelet.files import replacing
from tubelet.json_text import read_json
from tubelet.nn.prefix import column
from tubelet.priors.tables import LARGEST_BASE
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.train.tokenizer.batches import to_video

_DATA = "latents.npy"
_FACTS = "latents.json"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Latents:
    """Latents or digits of crops.

    Attributes:
        values: of each crop, ``n c t h w``: in quantiser steps at the usual step, or digits.
        clips: which of `values` belong to each clip.
        tokenizer: who made them.
        bases: of digits; none of a latent.
        energy_units: of each channel, by how much a quantiser step changes pixels.
    """

    values: np.ndarray
    clips: tuple[tuple[int, ...], ...]
    tokenizer: Checkpoint[ContinuousTokenizer] | Checkpoint[DiscreteTokenizer]
    bases: tuple[int, ...]
    energy_units: Float[Tensor, " c"]


def crop_order(crops: Crops, per_clip: int) -> list[tuple[int, int]]:
    """Clip and crop of what is encoded: the first of every clip, then the second of every clip, and so on."""
    return [
        (clip, crops.of_clip(clip)[rank])
        for rank in range(per_clip)
        for clip in range(len(crops.clips))
        if rank < len(crops.of_clip(clip))
    ]


def encode_crops(
    name: str, crops: Crops, folder: Path, *, per_clip: int, on_crop: Callable[[int, int], None]
) -> Latents:
    """Encode crops, or map what an earlier session of the same run encoded.

    Args:
        name: of the tokenizer.
        crops: what to encode.
        folder: of the run; the latents lie there.
        per_clip: crops of each clip at most.
        on_crop: called with how many are done, and of how many.

    Raises:
        CheckpointError: the tokenizer cannot be read.
        OptionError: a prior cannot be for this tokenizer.
    """
    known = _read(name)
    order = crop_order(crops, per_clip)
    bases = check_tokenizer(known)
    facts: dict[str, Any] = {"sha256": known.sha256, "per_clip": per_clip, "data": crops.settings}
    facts["clips"] = [clip.name for clip in crops.clips]
    if not (folder / _FACTS).is_file() or read_json(folder / _FACTS) != facts:
        _encode(known, crops, [crop for _, crop in order], folder / _DATA, on_crop)
        with replacing(folder / _FACTS, force=True) as beside:
            beside.write_text(json.dumps(facts), encoding="utf-8")
    own: list[list[int]] = [[] for _ in crops.clips]
    for index, (clip, _) in enumerate(order):
        own[clip].append(index)
    return Latents(
        values=np.load(folder / _DATA, mmap_mode="r", allow_pickle=False),
        clips=tuple(map(tuple, own)),
        tokenizer=known,
        bases=bases,
        energy_units=_energy_units(known),
    )


def check_tokenizer(
    known: Checkpoint[ContinuousTokenizer] | Checkpoint[DiscreteTokenizer],
) -> tuple[int, ...]:
    """The bases of a tokenizer's digits, none for a continuous one.

    Raises:
        OptionError: its digits are not ordinal or are too large.
    """
    tokenizer = known.tokenizer
    if isinstance(tokenizer, ContinuousTokenizer):
        return ()
    bases = tuple(base for token in tokenizer.bases for base in token)
    kind = tokenizer.config.quantizer.kind
    if kind not in ORDINAL or max(bases) > LARGEST_BASE:
        raise OptionError(
            f"{known.name} quantises by {kind} to digits of {bases}; a prior takes {', '.join(ORDINAL)} with "
            f"up to {LARGEST_BASE} values of a digit, whose order means nearness. Its files keep tables."
        )
    return bases


ORDINAL = ("fsq", "lfq", "bsq")
"""Kinds of quantisers whose neighbouring digits stand for neighbouring values."""


def _read(name: str) -> Checkpoint[ContinuousTokenizer] | Checkpoint[DiscreteTokenizer]:
    if checkpoint.architecture(name) == "discrete":
        return checkpoint.read_discrete(name)
    return checkpoint.read_continuous(name)


@torch.inference_mode()
def _encode(
    known: Checkpoint[ContinuousTokenizer] | Checkpoint[DiscreteTokenizer],
    crops: Crops,
    order: list[int],
    path: Path,
    on_crop: Callable[[int, int], None],
) -> None:
    """Write the latents of some crops."""
    values: np.ndarray | None = None
    for index, crop in enumerate(order):
        made = _symbols_of(known.tokenizer, np.array(crops[crop])[None])
        if values is None:
            values = np.lib.format.open_memmap(path, "w+", made.dtype, (len(order), *made.shape))
        values[index] = made
        on_crop(index + 1, len(order))


def _symbols_of(tokenizer: ContinuousTokenizer | DiscreteTokenizer, clip: np.ndarray) -> np.ndarray:
    video = to_video(clip, tokenizer.device)
    if isinstance(tokenizer, DiscreteTokenizer):
        digits = tokenizer.quantizer.quantize(tokenizer.backbone.encode(video))
        return digits[0].to("cpu", torch.int8).numpy()
    (units,) = tokenizer.model.coding_units().values()
    scaled = tokenizer.encode(video)[0] * column(units / BASE_STEP)
    return scaled.to("cpu", torch.float16).numpy()


def _energy_units(
    known: Checkpoint[ContinuousTokenizer] | Checkpoint[DiscreteTokenizer],
) -> Float[Tensor, " c"]:
    tokenizer = known.tokenizer
    if isinstance(tokenizer, DiscreteTokenizer):
        return torch.ones(len(check_tokenizer(known)))
    (coding,), (pixel,) = tokenizer.model.coding_units().values(), tokenizer.model.pixel_units().values()
    return (BASE_STEP * pixel / coding).cpu().float()
