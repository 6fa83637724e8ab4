"""Where training starts: the structure and the dynamics that are best among linear ones."""

from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor

from tubelet.errors import OptionError
from tubelet.models.klt.moments import Moments, principal_axes, set_level
from tubelet.models.klt.start import Crops
from tubelet.models.twin.codes import LEAST
from tubelet.models.twin.factors import WindowFactors, column_strips, row_strips
from tubelet.models.twin.model import COLUMNS, ROWS, STRUCTURE, WINDOW, TwinModel
from tubelet.nn.klt import KLT
from tubelet.types import Video
from tubelet.video.pixels import to_model

__all__ = ["Crops", "OnWindow", "fit_to_crops"]

CHUNKS = 1200
"""As many chunks of one window are looked at; they come from all crops evenly."""

OnWindow = Callable[[int, int], object]
"""Called with how many windows are looked at, and of how many; each counts as often as it is."""

_PASSES = 3
"""How often all chunks are looked at."""

_PATCHES = 256
"""Patches of each that are looked at."""

_ROUNDS = 4
"""How often profiles of rows are fitted to what columns leave, and the other way round."""

_VECTORS_AT_ONCE = 1 << 13


@torch.no_grad()
def fit_to_crops(
    model: TwinModel, crops: Crops, *, seed: int, on_window: OnWindow = lambda _done, _of: None
) -> None:
    """Fit the linear part of a model; its networks change nothing yet.

    The structure is the KLT of mean frames of chunks. The features are the KLT of what steps differ by from
    what it keeps of them. Profiles of rows and columns are found in turns, each the principal axes of what
    the others leave.

    Args:
        model: what is fitted.
        crops: what it will be trained on.
        seed: of the windows that are looked at.
        on_window: called after each of them.

    Raises:
        OptionError: the crops are smaller than a window, shorter than a chunk, or too few.
    """
    if crops.frames < WINDOW.t or crops.side < WINDOW.h:
        raise OptionError(
            f"crops have {crops.frames} frames of {crops.side}x{crops.side}; a chunk of one window has "
            f"{WINDOW.t} of {WINDOW.h}x{WINDOW.w}. Prepare larger crops."
        )
    model.requires_grad_(requires_grad=False)
    done = count(1)

    def windows() -> Iterator[Video]:
        for window in _windows(crops, seed):
            yield window
            on_window(next(done), _PASSES * CHUNKS)

    _fit_still(model, windows())
    _fit_patches(model, windows(), seed)
    field = torch.cat([model.patches(_left_by_still(model, window)) for window in windows()])
    model.scale.copy_(_deviation(field))
    _fit_profiles(model.factors, field)
    rows, columns = model.factors.codes(field)
    for name, codes in ((ROWS, rows), (COLUMNS, columns)):
        model.codes_of(name).set_unit(rearrange(codes, "b c t h w -> (b t h w) c"))
    found = model.factors.field_of_rows(rows) + model.factors.field_of_columns(columns)
    model.left.copy_(_deviation(field - found))


def _fit_still(model: TwinModel, windows: Iterator[Video]) -> None:
    moments = Moments(model.still.mean.numel())
    for window in windows:
        moments.update(_vectors(_mean_frame(window), model.still))
    model.codes_of(STRUCTURE).unit.copy_(set_level(model.still, moments).sqrt())


def _fit_patches(model: TwinModel, windows: Iterator[Video], seed: int) -> None:
    moments = Moments(model.patches.mean.numel())
    for number, window in enumerate(windows):
        vectors = _vectors(_left_by_still(model, window), model.patches)
        some = np.random.default_rng((seed, number, 1)).permutation(len(vectors))[:_PATCHES]
        moments.update(vectors[torch.from_numpy(some)])
    set_level(model.patches, moments)
    # A step that does not differ from the still frame is to have no features.
    model.patches.mean.zero_()


def _fit_profiles(factors: WindowFactors, field: Float[Tensor, "b k t h w"]) -> None:
    """Profiles of rows and columns by alternating least squares."""
    by_columns = torch.zeros_like(field)
    for _ in range(_ROUNDS):
        factors.rows.copy_(_axes(row_strips(field - by_columns), len(factors.rows)))
        by_rows = factors.field_of_rows(factors.codes_of_rows(field - by_columns))
        factors.columns.copy_(_axes(column_strips(field - by_rows), len(factors.columns)))
        by_columns = factors.field_of_columns(factors.codes_of_columns(field - by_rows))


def _axes(strips: Float[Tensor, "b t i j s d"], kept: int) -> Float[Tensor, "c d"]:
    """The strongest axes of strips around zero."""
    vectors = strips.flatten(0, 4)
    power = torch.zeros(vectors.shape[1], vectors.shape[1], dtype=torch.float64)
    for some in vectors.split(_VECTORS_AT_ONCE):
        power += (some.T @ some).double()
    return principal_axes(power / len(vectors), kept).basis


def _deviation(field: Float[Tensor, "b k t h w"]) -> Float[Tensor, " k"]:
    return rearrange(field, "b k t h w -> k (b t h w)").square().mean(dim=1).sqrt().clamp_min(LEAST)


def _windows(crops: Crops, seed: int) -> Iterator[Video]:
    """Chunks of one window each: random places of random frames, as many from each crop."""
    for number in range(CHUNKS):
        random = np.random.default_rng((seed, number))
        crop = crops[number * len(crops) // CHUNKS]
        first = int(random.integers(crops.frames - WINDOW.t + 1))
        row, column = (int(each) for each in random.integers(crops.side - WINDOW.h + 1, size=2))
        yield to_model(crop[first : first + WINDOW.t, row : row + WINDOW.h, column : column + WINDOW.w])


def _mean_frame(window: Video) -> Float[Tensor, "1 3 1 H W"]:
    return reduce(window, "b c T H W -> b c 1 H W", "mean")


def _left_by_still(model: TwinModel, window: Video) -> Video:
    """What the frames of a chunk differ by from the still frame that its structure gives."""
    return window - model.still.inverse(model.still(_mean_frame(window)))


def _vectors(video: Video, level: KLT) -> Float[Tensor, "n d"]:
    """Patches as a transform sees them."""
    t, h, w = level.patch
    return rearrange(video, "1 c (t pt) (h ph) (w pw) -> (t h w) (pt ph pw c)", pt=t, ph=h, pw=w)
