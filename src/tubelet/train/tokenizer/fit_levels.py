"""Fitting a global part: the KLT of blocks of the latent of a tokenizer with a flow."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.data.clips import sample_runs
from tubelet.errors import OptionError, VideoError
from tubelet.models.flow.config import FlowConfig
from tubelet.models.klt.model import PART
from tubelet.models.klt.moments import Moments, set_level
from tubelet.models.levels.config import LevelsConfig
from tubelet.models.levels.model import BLOCK, LevelsModel
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.tokenizer.fit_klt import Sampling, random_region
from tubelet.types import Latent, Video
from tubelet.video.pixels import to_model
from tubelet.video.resize import shrink_to_short_side

LARGEST_SIDE = 6
"""Rows and columns of blocks that are taken of a frame at most."""

LEAST_DEVIATION = 1e-4
"""A channel that never varies is divided by this, not by zero."""


def levels_config(start: ContinuousTokenizer, *, channels: int | None = None) -> LevelsConfig:
    """The configuration of a global and a detail part of a tokenizer with a flow.

    Args:
        start: the tokenizer.
        channels: of the global part; the usual number for none.

    Raises:
        OptionError: it has no flow.
    """
    config = start.config
    if not isinstance(config, FlowConfig):
        raise OptionError(
            f"a global part is fitted to the latent of a tokenizer with a flow, and {config.name} has none. "
            "Give one that has, such as tubelet-flow."
        )
    usual = LevelsConfig(name=f"{config.name}-global", base=config, lead_frame=start.lead_frame)
    usual = replace(usual, seen=min(usual.seen, config.base.channels))
    return usual if channels is None else replace(usual, channels=channels)


@torch.no_grad()
def fit_levels(
    config: LevelsConfig,
    clips: Sequence[Path],
    sampling: Sampling,
    *,
    start: ContinuousTokenizer,
    on_clip: Callable[[int], None] = lambda _: None,
    on_skip: Callable[[Path, VideoError], None] = lambda _path, _error: None,
) -> ContinuousTokenizer:
    """Fit a global part, and measure the deviations of the detail that it leaves.

    Args:
        config: what to fit.
        clips: files of video; those that cannot be read are skipped.
        sampling: which of their blocks are used; `patches` is not looked at.
        start: the tokenizer whose latent it is; it is copied.
        on_clip: called with the number of clips read so far.
        on_skip: called with each clip that could not be read.

    Raises:
        OptionError: the clips give fewer blocks than a block has numbers, or the numbers of `config`
            contradict one another.
    """
    model = config.build().requires_grad_(requires_grad=False)
    model.base.load_state_dict(start.model.state_dict())
    size = model.level.mean.numel()
    if config.channels > size:
        raise OptionError(f"channels is {config.channels}; a block has 1 to {size}.")
    blocks, positions = Moments(size), Moments(len(model.detail_deviation))
    for index, clip in enumerate(clips):
        try:
            for latent in _latents(model, clip, sampling, index):
                blocks.update(_blocks(model.in_pixels(latent[:, : config.seen])))
                positions.update(rearrange(latent, "1 c t h w -> (t h w) c"))
        except VideoError as error:
            on_skip(clip, error)
        on_clip(index + 1)
    model.global_deviation.copy_(set_level(model.level, blocks).sqrt())
    _set_detail(model, blocks, positions)
    return ContinuousTokenizer(model, lead_frame=config.lead_frame, config=config).eval()


def _set_detail(model: LevelsModel, blocks: Moments, positions: Moments) -> None:
    """Take what is left of the first channels, and all of the others, for the detail.

    A projection leaves the variance that it does not take, so the blocks need not be read again.
    """
    seen = model.level.inputs
    basis = model.level.basis.double()
    left = blocks.covariance.diagonal() - (basis * (basis @ blocks.covariance)).sum(dim=0)
    of_channels = rearrange(left, "(d c) -> d c", c=seen).mean(dim=0).clamp_min(0)
    units = model.base.pixel_units()[PART][:seen].double()
    variance = positions.covariance.diagonal().clone()
    variance[:seen] = of_channels / units.square()
    mean = positions.mean.clone()
    mean[:seen] = 0
    model.detail_mean.copy_(mean)
    model.detail_deviation.copy_(variance.sqrt().clamp_min(LEAST_DEVIATION))


def _latents(model: LevelsModel, clip: Path, sampling: Sampling, index: int) -> Iterator[Latent]:
    """Latents of whole blocks, at random places of a clip."""
    generator = np.random.default_rng((sampling.seed, index))
    for run in sample_runs(clip, frames=model.stride.t, runs=sampling.runs, generator=generator):
        for side in sampling.short_sides:
            shrunk = run if side is None else shrink_to_short_side(run, side)
            region = random_region(shrunk, model.stride, generator, most=LARGEST_SIDE)
            if region.size:
                yield _encoded(model, to_model(region))


def _encoded(model: LevelsModel, video: Video) -> Latent:
    return model.base.encode_groups(video, None).latents[PART]


def _blocks(latent: Latent) -> Float[Tensor, "n d"]:
    """Blocks as the transform sees them."""
    t, h, w = BLOCK
    return rearrange(latent, "1 c (t pt) (h ph) (w pw) -> (t h w) (pt ph pw c)", pt=t, ph=h, pw=w)
