"""Fitting a linear tokenizer along motion: the KLT of groups that were moved onto their first frames."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from tubelet.data.clips import sample_runs
from tubelet.errors import VideoError
from tubelet.models.klt.moments import Moments, principal_axes, set_level
from tubelet.models.motion.config import MotionConfig
from tubelet.models.motion.model import MotionModel
from tubelet.models.motion.search import find_field
from tubelet.models.motion.start import plain_spread
from tubelet.models.motion.transform import TwoBases
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.tokenizer.fit_klt import Sampling, random_region
from tubelet.types import Stride
from tubelet.video.pixels import to_model
from tubelet.video.resize import shrink_to_short_side

LARGEST_SIDE = 64
"""Rows and columns of positions of a frame at most in which vectors are looked for."""

LEAST_DEVIATION = 0.25
"""Pixels that a channel of motion varies by at least: the fineness of its numbers."""


def motion_config(stride: Stride, *, channels: int | None = None, lead_frame: bool = True) -> MotionConfig:
    """The configuration of a linear tokenizer along motion."""
    most = 3 * stride.t * stride.h * stride.w
    kept = min(64, most) if channels is None else channels
    return MotionConfig(name=f"klt-{stride}-motion", patch=stride, channels=kept, lead_frame=lead_frame)


def fit_motion(
    config: MotionConfig,
    clips: Sequence[Path],
    sampling: Sampling,
    *,
    on_clip: Callable[[int], None] = lambda _: None,
    on_skip: Callable[[Path, VideoError], None] = lambda _path, _error: None,
) -> ContinuousTokenizer:
    """Fit a tokenizer along motion.

    Args:
        config: what to fit.
        clips: files of video; those that cannot be read are skipped.
        sampling: which of their patches are used.
        on_clip: called with the number of clips read so far.
        on_skip: called with each clip that could not be read.

    Raises:
        OptionError: the clips give fewer patches than a patch has numbers, or a stride that motion has not.
    """
    model = config.build().requires_grad_(requires_grad=False)
    size = model.transform.along.mean.numel()
    seen = _Seen(Moments(size), Moments(size), Moments(model.vector_deviation.numel()))
    for index, clip in enumerate(clips):
        try:
            for patches in _patches(model, clip, sampling, index):
                seen.update(patches)
        except VideoError as error:
            on_skip(clip, error)
        on_clip(index + 1)
    _set_bases(model.transform, seen)
    model.vector_deviation.copy_(seen.motion.covariance.diagonal().sqrt().clamp_min(LEAST_DEVIATION))
    return ContinuousTokenizer(model, lead_frame=config.lead_frame, config=config).eval()


class _Patches(NamedTuple):
    """Straightened patches, the motion of each, and which of them are plain."""

    content: Float[Tensor, "n d"]
    motion: Float[Tensor, "n m"]
    plain: Bool[Tensor, " n"]


class _Seen(NamedTuple):
    """Moments of all patches, straightened where they can be followed, of plain ones, and of vectors."""

    every: Moments
    plain: Moments
    motion: Moments

    def update(self, patches: _Patches) -> None:
        """Add a batch."""
        self.every.update(patches.content)
        self.plain.update(patches.content[patches.plain])
        self.motion.update(patches.motion)


def _set_bases(bases: TwoBases, seen: _Seen) -> None:
    """Make one basis the KLT of all patches, whose deviations count, and the other that of plain ones.

    The first sees plain ones too, as klt-4x8x8 does, so that its first axes are no others. A few of all
    patches, as many as a patch has numbers, count among the plain ones: some clips have none.
    """
    bases.deviation.copy_(set_level(bases.along, seen.every).sqrt())
    plain = plain_spread(seen.every, seen.plain)
    bases.plain.basis.copy_(principal_axes(plain.covariance, len(bases.deviation)).basis)
    bases.plain.mean.copy_(plain.mean)


def _patches(model: MotionModel, clip: Path, sampling: Sampling, index: int) -> Iterator[_Patches]:
    """Random patches of a clip, moved onto the first frame of their group."""
    generator = np.random.default_rng((sampling.seed, index))
    t = model.stride.t
    for run in sample_runs(clip, frames=t, runs=sampling.runs, generator=generator):
        for side in sampling.short_sides:
            shrunk = run if side is None else shrink_to_short_side(run, side)
            frames = random_region(shrunk, model.stride, generator, most=LARGEST_SIDE)
            if not frames.size:
                continue
            groups = to_model(frames)
            field = find_field(groups, t, model.cell)
            straight = model.straightened(groups, field)
            content = rearrange(straight, "1 h w T d -> (h w) (T d)")
            motion = rearrange(model.vectors_to_motion(field.vectors, 1), "1 m 1 h w -> (h w) m")
            chosen = torch.from_numpy(generator.permutation(len(content))[: sampling.patches])
            yield _Patches(content[chosen], motion[chosen], field.plain.flatten()[chosen])
