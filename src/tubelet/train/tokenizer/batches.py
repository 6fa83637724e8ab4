"""Prepared crops as what a network takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import UInt8

from tubelet.data.crops import Crops
from tubelet.data.feed import Draw, draw_batch
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Latent, Latents, Video


def crop_facts(crops: Crops, folder: Path) -> dict[str, Any]:
    """What ``run.json`` says of the crops of a run, and of the clips that they are from."""
    return {
        "data": crops.settings,
        "folder": str(folder.resolve()),
        "clips": [clip.name for clip in crops.clips],
        "crops": len(crops),
    }


def to_video(batch: UInt8[np.ndarray, "b T H W 3"], device: torch.device | None = None) -> Video:
    """Stored frames of several clips as model input; a quarter of the bytes travel to the device."""
    levels = torch.from_numpy(batch).to(device).to(torch.float32) / 127.5 - 1
    return rearrange(levels, "b T H W c -> b c T H W")


def latents_of(tokenizer: ContinuousTokenizer, crops: Crops, *, windows: int) -> Iterator[Latent]:
    """Latents of one part of random windows of crops, without the lead step, which stands still."""
    for parts in parts_of(tokenizer, crops, windows=windows):
        (latent,) = parts.values()
        yield latent


@torch.no_grad()
def parts_of(tokenizer: ContinuousTokenizer, crops: Crops, *, windows: int) -> Iterator[Latents]:
    """The same for every part of a latent."""
    lead = int(tokenizer.lead_frame)
    draw = Draw(batch=8, frames=min(17, crops.frames), side=crops.side)
    for step in range(windows // draw.batch):
        batch = draw_batch(crops, draw, seed=0, step=step, indices=range(draw.batch))
        parts = tokenizer.encode_parts(to_video(batch))
        yield {name: latent[:, :, lead:] for name, latent in parts.items()}
