"""What every metric asks of the runs of frames that it is given."""

import numpy as np
from jaxtyping import UInt8

from tubelet.checks import check_frames
from tubelet.errors import ShapeError

AnyFrames = UInt8[np.ndarray, "..."]
"""Frames whose shapes are still to be compared."""


def check_runs(
    reference: AnyFrames, frames: AnyFrames, *, measure: str, size: tuple[int, ...] | None = None
) -> None:
    """Raise unless two runs of frames can be compared.

    Args:
        reference: a run of frames of the reference.
        frames: the same run of the other clip.
        measure: what compares them, for the error.
        size: shape of a single frame of the runs before; none if there were none, or if it does not matter.

    Raises:
        ShapeError: the runs are not arrays ``UInt8 T H W 3``, differ in length or size, or in size from those
            before.
    """
    for name, each in (("reference", reference), ("frames", frames)):
        check_frames(each, name, cure="tubelet.from_model makes them from model output.")
    if reference.shape != frames.shape:
        raise ShapeError(
            f"the runs are {reference.shape} and {frames.shape}; {measure} compares equal sizes."
        )
    if size is not None and frames.shape[1:] != size:
        raise ShapeError(
            f"the frames are {frames.shape[1:]} and those before {size}; the frames of a clip have one size. "
            f"Use one object of {measure} per clip."
        )


def nothing_compared(measure: str) -> ShapeError:
    """The error of a metric that is computed before it was updated."""
    return ShapeError(f"no frames were compared; {measure} needs at least one. Call update first.")
