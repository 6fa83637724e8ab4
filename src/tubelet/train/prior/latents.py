"""The latents of prepared crops, computed once for a run and mapped: encoding costs more than the prior."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tubelet import checkpoint
from tubelet.checkpoint import Checkpoint
from tubelet.codec.budget import price_of_step
from tubelet.codec.symbols import BASE_STEP
from tubelet.data.crops import Crops
from tubelet.errors import OptionError
from tubelet.files import replacing
from tubelet.json_text import read_json
from tubelet.models.protocol import BitPrice, PricedModel
from tubelet.nn.prefix import column
from tubelet.priors.tables import LARGEST_BASE
from tubelet.tokenizers.clip import main_part
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.train.prior.config import PriorTrainConfig
from tubelet.train.tokenizer.batches import to_video
from tubelet.types import Part

_DATA = "latents.npy"
_FACTS = "latents.json"

_TURN = (5**0.5 - 1) / 2
"""Multiples of it, without their whole part, lie evenly between 0 and 1 however many there are."""

Known = Checkpoint[ContinuousTokenizer] | Checkpoint[DiscreteTokenizer]
"""A tokenizer that a prior may be for."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Latents:
    """Latents of one part, or digits, of crops.

    Attributes:
        values: of each crop, ``n c t h w``: in quantiser steps at the usual step, or digits.
        steps: of each crop, how coarse the file was to be that it was encoded for; 0 where nothing was said.
        clips: which of `values` belong to each clip.
        tokenizer: who made them.
        parts: of its latent.
        part: which of these.
        bases: of digits; none of a latent.
        energy_units: of each channel, by how much a quantiser step changes pixels.
    """

    values: np.ndarray
    steps: tuple[float, ...]
    clips: tuple[tuple[int, ...], ...]
    tokenizer: Known
    parts: tuple[Part, ...]
    part: Part
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
    config: PriorTrainConfig, crops: Crops, folder: Path, *, on_crop: Callable[[int, int], None]
) -> Latents:
    """Encode crops, or map what an earlier session of the same run encoded.

    Where the encoder can choose what it says by how coarse a file is, half of the crops are encoded for files
    of some coarseness, and the others as they are without a budget.

    Args:
        config: of the run: tokenizer and part, crops of each clip, how coarse files may be.
        crops: what to encode.
        folder: of the run; the latents lie there.
        on_crop: called with how many are done, and of how many.

    Raises:
        CheckpointError: the tokenizer cannot be read.
        OptionError: a prior cannot be for this tokenizer, or it has no such part.
    """
    known = _read(config.tokenizer)
    parts = _parts(known)
    part = main_part(parts, config.part)
    order = crop_order(crops, config.per_clip)
    bases = check_tokenizer(known)
    steps = _steps_of(known, [crop for _, crop in order], config.steps)
    facts: dict[str, Any] = {"sha256": known.sha256, "per_clip": config.per_clip, "data": crops.settings}
    facts["clips"] = [clip.name for clip in crops.clips]
    if len(parts) > 1:
        facts |= {"part": part.name, "steps": list(steps)}
    if not (folder / _FACTS).is_file() or read_json(folder / _FACTS) != facts:
        chosen = [(crop, step) for (_, crop), step in zip(order, steps, strict=True)]
        _encode(known, part, chosen, crops, folder / _DATA, on_crop)
        with replacing(folder / _FACTS, force=True) as beside:
            beside.write_text(json.dumps(facts), encoding="utf-8")
    own: list[list[int]] = [[] for _ in crops.clips]
    for index, (clip, _) in enumerate(order):
        own[clip].append(index)
    return Latents(
        values=np.load(folder / _DATA, mmap_mode="r", allow_pickle=False),
        steps=steps,
        clips=tuple(map(tuple, own)),
        tokenizer=known,
        parts=parts,
        part=part,
        bases=bases,
        energy_units=_energy_units(known, part),
    )


def check_tokenizer(known: Known) -> tuple[int, ...]:
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


def _read(name: str) -> Known:
    if checkpoint.architecture(name) == "discrete":
        return checkpoint.read_discrete(name)
    return checkpoint.read_continuous(name)


def _parts(known: Known) -> tuple[Part, ...]:
    tokenizer = known.tokenizer
    return tuple(tokenizer.backbone.parts if isinstance(tokenizer, DiscreteTokenizer) else tokenizer.parts)


def _steps_of(known: Known, crops: Sequence[int], bounds: tuple[float, float]) -> tuple[float, ...]:
    """How coarse a file every second crop is encoded for, evenly in its logarithm, if the encoder cares."""
    if not isinstance(known.tokenizer, ContinuousTokenizer) or not isinstance(
        known.tokenizer.model, PricedModel
    ):
        return (0.0,) * len(crops)
    least, most = bounds
    return tuple(
        round(least * (most / least) ** (crop * _TURN % 1), 4) if crop % 2 else 0.0 for crop in crops
    )


@torch.inference_mode()
def _encode(
    known: Known,
    part: Part,
    clips: Sequence[tuple[int, float]],
    crops: Crops,
    path: Path,
    on_crop: Callable[[int, int], None],
) -> None:
    """Write the latents of some crops, each with how coarse a file it is for."""
    values: np.ndarray | None = None
    for index, (crop, step) in enumerate(clips):
        made = _symbols_of(known.tokenizer, part, np.array(crops[crop])[None], step)
        if values is None:
            values = np.lib.format.open_memmap(path, "w+", made.dtype, (len(clips), *made.shape))
        values[index] = made
        on_crop(index + 1, len(clips))


def _symbols_of(
    tokenizer: ContinuousTokenizer | DiscreteTokenizer, part: Part, clip: np.ndarray, step: float
) -> np.ndarray:
    video = to_video(clip, tokenizer.device)
    if isinstance(tokenizer, DiscreteTokenizer):
        digits = tokenizer.quantizer.quantize(tokenizer.backbone.encode(video))
        return digits[0].to("cpu", torch.int8).numpy()
    if step:
        tokenizer = tokenizer.priced(BitPrice(BASE_STEP * step, price_of_step(step), part.channels))
    units = tokenizer.model.coding_units()[part.name]
    scaled = tokenizer.encode_parts(video)[part.name][0] * column(units / BASE_STEP)
    return scaled.to("cpu", torch.float16).numpy()


def _energy_units(known: Known, part: Part) -> Float[Tensor, " c"]:
    tokenizer = known.tokenizer
    if isinstance(tokenizer, DiscreteTokenizer):
        return torch.ones(len(check_tokenizer(known)))
    coding, pixel = tokenizer.model.coding_units()[part.name], tokenizer.model.pixel_units()[part.name]
    return (BASE_STEP * pixel / coding).cpu().float()
