"""Figures from the seconds of every round: speeds, what the first system does better, how cost grows."""

import statistics
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from tubelet.evaluate.cases import Case, Size
from tubelet.evaluate.speed.grid import Variant

PARTS = ("encode", "decode", "both")

Row = dict[str, Any]
"""A variant at a case, as docs/reference/bench-format.md describes it."""


def complete(rows: Sequence[Row], first: str) -> list[Row]:
    """Add what follows from the seconds.

    Args:
        rows: of all variants and cases; those of a case stand together.
        first: the text of the system that the others are compared with.
    """
    found: list[Row] = []
    for _, group in groupby(rows, key=clip_of):
        case = [row | _speeds(row) for row in group]
        fastest = {row["system"]: row for row in sorted(filter(_has_figures, case), key=_speed)}
        best = fastest.get(first)
        for row in case:
            if _has_figures(row):
                row["fastest"] = row is fastest[row["system"]]
                if best is not None:
                    row["times_of_first"] = _times(row, best)
        found += case
    return found


def growth(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """How time per pixel and memory change from the shortest to the longest clip of a size.

    Single frames are left out: they may cost as much as a whole group.
    """
    found: list[dict[str, Any]] = []
    names = ("system", "format", "mode", "width", "height")
    clips: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if _has_figures(row) and row["frames"] > 1:
            clips.setdefault(tuple(row[name] for name in names), []).append(row)
    for head, group in clips.items():
        short, long = (choose(group, key=lambda row: row["frames"]) for choose in (min, max))
        if short["frames"] < long["frames"]:
            change = short["both_mpx_per_s"]["median"] / long["both_mpx_per_s"]["median"]
            found.append(
                dict(zip(names, head, strict=True))
                | {
                    "frames": [short["frames"], long["frames"]],
                    "time_per_pixel_ratio": _rounded(change),
                    "peak_mib": [short["peak_mib"], long["peak_mib"]],
                }
            )
    return found


def clip_of(row: Row) -> Case:
    """The clip of a row."""
    return Case(size=Size(row["width"], row["height"]), frames=row["frames"])


def variant_of(row: Row) -> Variant:
    """What was measured in a row."""
    return Variant(row["system"], row["format"], row["mode"])


def absences(rows: Sequence[Row]) -> tuple[str, ...]:
    """Sentences on what has no figure, and why."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if "absent" in row:
            found.setdefault((str(variant_of(row)), row["absent"]), []).append(str(clip_of(row)))
    return tuple(f"{name} is absent at {'; '.join(at)}: {why}" for (name, why), at in found.items())


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, lowest and highest, with four digits."""
    return {
        "median": _rounded(statistics.median(values)),
        "lowest": _rounded(min(values)),
        "highest": _rounded(max(values)),
    }


def _has_figures(row: Row) -> bool:
    return "seconds" in row


def _speed(row: Row) -> float:
    return row["both_mpx_per_s"]["median"]


def _speeds(row: Row) -> dict[str, Any]:
    """Megapixels per second, and the time to the first frame."""
    if not _has_figures(row):
        return {}
    megapixels = row["frames"] * row["height"] * row["width"] / 1e6
    speeds = {
        f"{part}_mpx_per_s": spread([megapixels / seconds for seconds in _seconds(row, part)])
        for part in PARTS
    }
    return speeds | {"first_frame_seconds": spread(row["seconds"]["first_frame"])}


def _times(row: Row, best: Row) -> dict[str, dict[str, float]]:
    """How many times as long as another row it took, round by round."""
    return {
        part: spread(
            [mine / other for mine, other in zip(_seconds(row, part), _seconds(best, part), strict=True)]
        )
        for part in PARTS
    }


def _seconds(row: Row, part: str) -> list[float]:
    """The seconds of every round."""
    seconds = row["seconds"]
    if part == "both":
        return [sum(each) for each in zip(seconds["encode"], seconds["decode"], strict=True)]
    return seconds[part]


def _rounded(value: float) -> float:
    """Four digits."""
    return float(f"{value:.4g}")
