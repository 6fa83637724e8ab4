"""Prepared crops as what a network takes."""

from collections.abc import Iterator

import numpy as np
import torch
from einops import rearrange
from jaxtyping import UInt8

from tubelet.data.crops import Crops
from tubelet.data.feed import Draw, draw_batch
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Latent, Video


def to_video(batch: UInt8[np.ndarray, "b T H W 3"], device: torch.device | None = None) -> Video:
    """Stored frames of several clips as model input; a quarter of the bytes travel to the device."""
    levels = torch.from_numpy(batch).to(device).to(torch.float32) / 127.5 - 1
    return rearrange(levels, "b T H W c -> b c T H W")


@torch.no_grad()
def latents_of(tokenizer: ContinuousTokenizer, crops: Crops, *, windows: int) -> Iterator[Latent]:
    """Latents of random windows of crops, without the lead step, which stands still."""
    draw = Draw(batch=8, frames=min(17, crops.frames), side=crops.side)
    for step in range(windows // draw.batch):
        batch = draw_batch(crops, draw, seed=0, step=step, indices=range(draw.batch))
        yield tokenizer.encode(to_video(batch))[:, :, int(tokenizer.lead_frame) :]
