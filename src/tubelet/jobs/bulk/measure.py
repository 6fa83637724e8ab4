"""How well the frames of a clip come back from what is stored of it."""

from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tubelet.data.shards.packed import COUNTS, latent_of
from tubelet.metrics.psnr import ClipPSNR
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.streams.decoder import KnownLatents
from tubelet.types import Frames
from tubelet.video.info import VideoInfo
from tubelet.video.read import Run

_STEPS = 4
"""Latent steps that are decoded at a time."""


def psnr_of(
    arrays: Mapping[str, bytes],
    about: Mapping[str, Mapping[str, Any]],
    tokenizer: ContinuousTokenizer | DiscreteTokenizer,
    info: VideoInfo,
    runs: Iterable[Run],
    *,
    frames: int,
    memory: int,
) -> float:
    """The PSNR of the decoded frames against those that were encoded, in dB over the whole clip.

    Args:
        arrays: the stored latents or tokens, as ``.npy`` files.
        about: how their numbers are stored.
        tokenizer: that made them.
        info: size of the frames.
        runs: the frames that were encoded.
        frames: how many they are.
        memory: bytes for decoding.
    """
    latents: dict[str, Tensor] = {}
    known: dict[str, Tensor] = {}
    if isinstance(tokenizer, DiscreteTokenizer):
        digits = torch.from_numpy(np.load(BytesIO(arrays["tokens.npy"])).astype(np.int64))
        backbone = tokenizer.backbone
        latents[backbone.parts[0].name] = tokenizer.dequantize(digits[None])
    else:
        backbone = tokenizer
        stored = {name: np.load(BytesIO(data)) for name, data in arrays.items()}
        for part in tokenizer.parts:
            name = f"{part.name}.npy"
            latents[part.name] = latent_of(stored, about[name], name, "the clip")[None]
        if COUNTS in stored:
            known = {tokenizer.parts[0].name: torch.from_numpy(stored[COUNTS].astype(np.int64))[None]}
    given = KnownLatents(latents, known)
    measured, back = ClipPSNR(), _decoded(backbone, given, info, frames=frames, memory=memory)
    for run in runs:
        for frame in run.frames:
            measured.update(frame[None], next(back)[None])
    return measured.compute()


def _decoded(
    backbone: ContinuousTokenizer,
    given: KnownLatents,
    info: VideoInfo,
    *,
    frames: int,
    memory: int,
) -> Iterator[Frames]:
    """The decoded frames, one by one."""
    decoder = backbone.parts_decoder(height=info.height, width=info.width, frames=frames, memory=memory)
    total = backbone.grouping.steps(frames)
    for begin in range(0, total, _STEPS):
        end = min(total, begin + _STEPS)
        grids = {name: backbone.grids[name] for name in given.latents}
        steps = {name: slice(grid.first(begin), grid.first(end)) for name, grid in grids.items()}
        piece = {
            name: latent[:, :, steps[name]].to(backbone.device, backbone.dtype)
            for name, latent in given.latents.items()
        }
        known = {name: counts[:, :, steps[name]].to(backbone.device) for name, counts in given.known.items()}
        yield from decoder.push_frames(piece, counts=known)
