"""Latents, tokens and counts of kept clips, small enough to be drawn by a page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Shaped

from tubelet.errors import ResultsError, VideoError
from tubelet.report.read import Results, kept_file
from tubelet.video.encode import still_bytes
from tubelet.video.read import read
from tubelet.video.resize import shrink_to_short_side

RANGE = 3.0
"""Deviations that a picture of a latent shows; what lies beyond looks like its ends."""

SHORT_SIDE = 160
"""Rows or columns, whichever are fewer, of the frame beside a picture."""

_MOST_VALUES = 1 << 20

Kind = Literal["latents", "tokens", "counts"]
"""What a picture is of, as the results call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A latent step of a clip, its tokens, or how many channels of it are stored.

    Attributes:
        system: its text.
        kind: what it is of, as the results call it.
        shape: channels, tokens or one; rows, columns.
        values: of a latent int8, 127 for `RANGE`; else int64, little-endian.
        frames: what it stands for: the first frame, and the one after the last.
        shown: which frame of the source is beside it.
        frame: that frame, shrunk, as a JPEG; none where the source is missing.
    """

    system: str
    kind: Kind
    shape: tuple[int, int, int]
    values: bytes
    frames: tuple[int, int]
    shown: int
    frame: bytes | None


def read_pictures(results: Results, name: str) -> list[Picture | str]:
    """The latents, tokens and counts that were kept of a clip.

    Returns:
        Pictures; a sentence in place of one that cannot be shown.
    """
    kept = results.figures.get("videos", {}).get(name, {})
    found: list[Picture | str] = []
    for kind in get_args(Kind):
        for system, entry in kept.get(kind, {}).items():
            try:
                found.append(_picture(results, kept, entry, system=system, kind=kind))
            except ResultsError as error:
                found.append(f"{kind} of {system} are not shown: {error}")
    return found


def _picture(
    results: Results,
    kept: dict[str, Any],
    entry: dict[str, Any],
    *,
    system: str,
    kind: Kind,
) -> Picture:
    values = _read(kept_file(results, entry["path"]), kind)
    first, last = (int(number) for number in entry["frames"])
    shown = (first + last - 1) // 2
    return Picture(
        system=system,
        kind=kind,
        shape=values.shape,
        values=(_levels(values) if kind == "latents" else values.astype("<i8")).tobytes(),
        frames=(first, last),
        shown=shown,
        frame=_frame(results, kept, shown),
    )


def _read(path: Path, kind: str) -> Shaped[np.ndarray, "c h w"]:
    """Read an array that an evaluation kept.

    Raises:
        ResultsError: it is not an array of this kind, or too large to be looked at.
    """
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ResultsError(f"{path.name} is not an array ({error}). Evaluate again.") from error
    wanted = np.floating if kind == "latents" else np.integer
    if not isinstance(values, np.ndarray) or values.ndim != 3 or not np.issubdtype(values.dtype, wanted):
        raise ResultsError(f"{path.name} holds no {kind}, which have three axes. Evaluate again.")
    if not 0 < values.size <= _MOST_VALUES:
        raise ResultsError(f"{path.name} has {values.size} values; a report shows 1 to {_MOST_VALUES}.")
    return np.array(values)


def _levels(values: Shaped[np.ndarray, "c h w"]) -> Shaped[np.ndarray, "c h w"]:
    """A latent in whole numbers from -127 to 127, symmetric around 0; what is not a number is 0."""
    scaled = np.nan_to_num(np.clip(values.astype(np.float32) / RANGE, -1, 1))
    return np.rint(127 * scaled).astype(np.int8)


def _frame(results: Results, kept: dict[str, Any], index: int) -> bytes | None:
    """A frame of the source as a small JPEG, if it is there."""
    try:
        (run,) = read(kept_file(results, kept["source"]), start=index, stop=index + 1)
    except (ResultsError, VideoError, ValueError):
        return None
    (small,) = shrink_to_short_side(run.frames, SHORT_SIDE)
    return still_bytes(np.ascontiguousarray(small), ".jpg")
