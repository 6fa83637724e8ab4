"""How things move in a kept clip, small enough to be drawn over its pictures by a page."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int8

from tubelet.errors import ResultsError
from tubelet.report.motion_field import shown_places
from tubelet.report.read import Results, kept_file

QUARTERS = 4
"""Pixels are told in so many parts; what moves further than 127 of them ends there."""

_MOST_VALUES = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionLayer:
    """How far the positions of a clip move within each of its latent steps.

    Attributes:
        system: its text.
        shape: latent steps, and rows and columns of positions that are shown.
        every: of how many positions of a row or column one is shown.
        values: int8, axes t 2 h w: quarters of a pixel to the right and down, from the first frame of a step
            to its last.
        frames: the first frame of each step, and the number of frames.
    """

    system: str
    shape: tuple[int, int, int]
    every: int
    values: bytes
    frames: tuple[int, ...]


def read_motion(results: Results, name: str) -> list[MotionLayer | str]:
    """The motion that was kept of a clip.

    Returns:
        A layer for each system that has any; a sentence in place of one that cannot be shown.
    """
    found: list[MotionLayer | str] = []
    for system, entry in results.figures.get("videos", {}).get(name, {}).get("motion", {}).items():
        try:
            found.append(_layer(results, entry, system))
        except ResultsError as error:
            found.append(f"motion of {system} is not shown: {error}")
    return found


def _layer(results: Results, entry: dict[str, Any], system: str) -> MotionLayer:
    path = kept_file(results, entry["path"])
    moved, frames = _read(path), tuple(entry["frames"])
    if len(frames) != len(moved) + 1 or any(one >= other for one, other in pairwise(frames)):
        raise ResultsError(
            f"{path.name} has {len(moved)} latent steps and {len(frames)} numbers of frames, which grow and "
            "are one more. Evaluate again."
        )
    places = shown_places(*moved.shape[2:])
    levels = _quarters(moved[:, :, *places])
    return MotionLayer(
        system=system,
        shape=(len(levels), *levels.shape[2:]),
        every=places[0].step,
        values=levels.tobytes(),
        frames=frames,
    )


def _read(path: Path) -> Float[np.ndarray, "t 2 h w"]:
    """Read an array that an evaluation kept.

    Raises:
        ResultsError: it is no motion, or too large to be looked at.
    """
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ResultsError(f"{path.name} is not an array ({error}). Evaluate again.") from error
    if (
        not isinstance(values, np.ndarray)
        or not np.issubdtype(values.dtype, np.floating)
        or values.ndim != 4
        or values.shape[1] != 2
    ):
        raise ResultsError(f"{path.name} holds no motion, which has four axes, t 2 h w. Evaluate again.")
    if not 0 < values.size <= _MOST_VALUES:
        raise ResultsError(f"{path.name} has {values.size} values; a report shows 1 to {_MOST_VALUES}.")
    return values


def _quarters(moved: Float[np.ndarray, "t 2 h w"]) -> Int8[np.ndarray, "t 2 h w"]:
    """Pixels as whole numbers of quarters; what is not a number is 0."""
    return np.rint(np.clip(np.nan_to_num(moved.astype(np.float32)) * QUARTERS, -127, 127)).astype(np.int8)
