"""Fitting a linear tokenizer: the KLT of the patches of a folder of clips, in minutes on a CPU."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from tubelet.data.clips import sample_runs
from tubelet.errors import OptionError, VideoError
from tubelet.models.klt.config import KLTConfig
from tubelet.models.klt.model import KLTModel
from tubelet.models.klt.moments import Moments, set_level
from tubelet.nn.klt import KLTCascade
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Frames, Stride
from tubelet.video.pixels import to_model
from tubelet.video.resize import shrink_to_short_side

Patches = UInt8[np.ndarray, "T h w 3"]
"""Whole patches of frames, side by side."""

LEVELS = {
    Stride(4, 8, 8): ((Stride(4, 8, 8),), (64,)),
    Stride(1, 8, 8): ((Stride(1, 8, 8),), (64,)),
    Stride(8, 8, 8): ((Stride(8, 8, 8),), (64,)),
    Stride(8, 16, 16): ((Stride(4, 8, 8), Stride(2, 2, 2)), (64, 128)),
    Stride(8, 32, 32): ((Stride(4, 8, 8), Stride(2, 2, 2), Stride(1, 2, 2)), (64, 128, 256)),
}
"""For the usual strides: the patch of each level, and how many coefficients each keeps."""

LARGEST_PATCH = 4096
"""Numbers in a patch of one level; a covariance of the square of that must fit into memory."""


def klt_config(stride: Stride, *, channels: int | None = None, lead_frame: bool = True) -> KLTConfig:
    """The configuration of a linear tokenizer: the usual levels of a usual stride, else a single level.

    Raises:
        OptionError: a single level of this stride would be too large.
    """
    size = 3 * stride.t * stride.h * stride.w
    if stride not in LEVELS and size > LARGEST_PATCH:
        raise OptionError(
            f"a patch of {stride} holds {size} numbers; one level takes at most {LARGEST_PATCH}. Choose a "
            f"smaller stride, or one with several levels: {', '.join(map(str, LEVELS))}."
        )
    patches, coefficients = LEVELS.get(stride, ((stride,), (min(64, size),)))
    return KLTConfig(
        name=f"klt-{stride}",
        patches=patches,
        coefficients=coefficients,
        channels=coefficients[-1] if channels is None else channels,
        lead_frame=lead_frame,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Which patches a fit sees; every clip counts the same, however long it is.

    Attributes:
        runs: places in each clip where frames are taken.
        patches: positions that are taken at random from each run, at each size.
        short_sides: sizes that each run is shrunk to; none keeps its own.
        seed: of the random choices; the same seed gives the same tokenizer on the same machine.
    """

    runs: int = 8
    patches: int = 1024
    short_sides: tuple[int | None, ...] = (256, None)
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.runs, self.patches) < 1 or self.seed < 0:
            raise OptionError(
                f"runs is {self.runs}, patches is {self.patches} and seed is {self.seed}; the first two "
                "start at 1 and the seed at 0."
            )


def fit_klt(
    config: KLTConfig,
    clips: Sequence[Path],
    sampling: Sampling,
    *,
    start: ContinuousTokenizer | None = None,
    on_clip: Callable[[int], None] = lambda _: None,
    on_skip: Callable[[Path, VideoError], None] = lambda _path, _error: None,
) -> ContinuousTokenizer:
    """Fit the linear part of a tokenizer, level by level.

    Args:
        config: what to fit; networks around it keep their start, where they change nothing.
        clips: files of video; those that cannot be read are skipped.
        sampling: which of their patches are used.
        start: a linear tokenizer of a smaller stride, whose levels are taken over instead of fitted again.
        on_clip: called with the number of clips read so far, over all levels that are fitted.
        on_skip: called with each clip that could not be read.

    Raises:
        OptionError: the clips give fewer patches than a patch has numbers, or `start` has other levels.
    """
    model = config.build().requires_grad_(requires_grad=False)
    cascade = model.transform
    known = 0 if start is None else _take_over(cascade, klt_model(start).transform)
    strengths = cascade.deviation.square()
    for depth, level in enumerate(cascade.klts):
        if depth < known:
            continue
        moments = Moments(level.mean.numel())
        for index, clip in enumerate(clips):
            try:
                for vectors in _vectors(cascade, depth, clip, sampling, index):
                    moments.update(vectors)
            except VideoError as error:
                if depth == known:
                    on_skip(clip, error)
            on_clip((depth - known) * len(clips) + index + 1)
        strengths = set_level(level, moments)
    cascade.deviation.copy_(strengths.sqrt())
    return ContinuousTokenizer(model, lead_frame=config.lead_frame, config=config).eval()


def klt_model(tokenizer: ContinuousTokenizer) -> KLTModel:
    """The model of a tokenizer that is to be started from.

    Raises:
        OptionError: it has no KLT.
    """
    if not isinstance(tokenizer.model, KLTModel):
        raise OptionError("the tokenizer to start from has no KLT. Start from a linear one, or from none.")
    return tokenizer.model


def _take_over(cascade: KLTCascade, start: KLTCascade) -> int:
    """Copy the levels of a shallower cascade; give their number."""
    known = len(start.levels)
    if start.patches != cascade.patches[:known] or known >= len(cascade.levels):
        raise OptionError(
            f"the tokenizer to start from has the patches {start.patches}; they must be the first of "
            f"{cascade.patches}, and fewer. Start from another, or from none."
        )
    for level, given in zip(cascade.klts, start.klts, strict=False):
        if level.basis.shape != given.basis.shape:
            raise OptionError(
                f"the tokenizer to start from keeps {given.basis.shape[0]} coefficients of {given.patch} "
                f"patches; here a level keeps {level.basis.shape[0]}. Start from another, or from none."
            )
        level.load_state_dict(given.state_dict())
    return known


def _vectors(
    cascade: KLTCascade, depth: int, clip: Path, sampling: Sampling, index: int
) -> Iterator[Float[Tensor, "n d"]]:
    """Random patches of a clip as one level of a cascade sees them; the same for every level."""
    generator = np.random.default_rng((sampling.seed, index))
    for run in sample_runs(clip, frames=cascade.stride.t, runs=sampling.runs, generator=generator):
        for side in sampling.short_sides:
            frames = run if side is None else shrink_to_short_side(run, side)
            patches = _random_patches(frames, cascade.stride, sampling.patches, generator)
            if not patches.size:
                continue
            x = to_model(patches)
            for level in cascade.klts[:depth]:
                x = level(x)
            t, h, w = cascade.patches[depth]
            yield rearrange(x, "1 c (t pt) (h ph) (w pw) -> (t h w) (pt ph pw c)", pt=t, ph=h, pw=w)


def _random_patches(frames: Frames, stride: Stride, count: int, generator: np.random.Generator) -> Patches:
    """Up to `count` whole patches of one group of frames, side by side in one row."""
    rows, columns = (side // step for side, step in zip(frames.shape[1:3], stride[1:], strict=True))
    grid = rearrange(
        frames[:, : rows * stride.h, : columns * stride.w],
        "T (h H) (w W) c -> (h w) T H W c", H=stride.h, W=stride.w,
    )  # fmt: skip
    chosen = generator.choice(len(grid), size=min(count, len(grid)), replace=False) if len(grid) else []
    return np.ascontiguousarray(rearrange(grid[chosen], "n T H W c -> T H (n W) c"))


def random_region(frames: Frames, stride: Stride, generator: np.random.Generator, *, most: int) -> Frames:
    """Whole cells of frames; of large frames at most so many rows and columns of them, at a random place."""
    spans: list[slice] = []
    for length, step in zip(frames.shape[1:3], stride[1:], strict=True):
        size = min(length // step, most) * step
        first = int(generator.integers(0, length - size + 1))
        spans.append(slice(first, first + size))
    return np.ascontiguousarray(frames[:, spans[0], spans[1]])
