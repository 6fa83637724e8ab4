"""What `tubelet bench` measured, as tables and plots: speed beside others, cost against length and size."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from tubelet.errors import OptionError
from tubelet.evaluate.cases import Case
from tubelet.evaluate.speed.figures import clip_of
from tubelet.evaluate.speed.run import FORMAT
from tubelet.report.content import check_benchmark
from tubelet.report.markup import ABSENT, Cell, Head, Row, Table
from tubelet.report.plots import Curves, Mark, Series
from tubelet.report.read import Kind, Stored, read_stored

Figure = Literal["speed", "memory"]
"""What is drawn against length or size."""

BENCHES = Kind(
    name="benchmark",
    several="benchmarks",
    give="a file of a benchmark",
    command="tubelet bench",
    format=FORMAT,
    check=check_benchmark,
)

_FIGURES: Mapping[Figure, str] = MappingProxyType(
    {"speed": "Mpx/s, there and back", "memory": "peak memory, MiB"}
)


def read_bench(path: Path) -> Stored:
    """Read what `tubelet bench` wrote.

    Raises:
        ResultsError: it cannot be read, is not a benchmark, or is of another format.
    """
    return read_stored(path, BENCHES)


def clips(bench: Stored) -> tuple[Case, ...]:
    """Every clip that some system was timed on, in the order of the file."""
    return tuple(dict.fromkeys(clip_of(row) for row in bench.figures["rows"] if _is_fastest(row)))


def speeds(bench: Stored, clip: Case) -> dict[str, float]:
    """Megapixels per second, there and back, of the fastest way of each system; for `speed_quality`."""
    return {row["system"]: _value(row, "speed") for row in _fastest(bench) if clip_of(row) == clip}


def speed_table(bench: Stored, clip: Case) -> Table:
    """A row for each system that was timed on a clip, in its fastest number format and mode."""
    rows = tuple(
        Row(row["system"], tuple(_cells(row, bench.figures["systems"][row["system"]])))
        for row in _fastest(bench)
        if clip_of(row) == clip
    )
    names = (
        *("format, mode", "encode Mpx/s", "decode Mpx/s", "both Mpx/s", "first frame s"),
        *("peak MiB", "MFLOP/px", "times as long"),
    )
    return Table(
        title=f"Speed: {clip}",
        protocol=bench.protocol,
        note=(
            "Each system in its fastest number format and mode. Medians of the rounds, in brackets lowest "
            "and highest. The last column: by how many times it takes as long, there and back, as "
            f"{next(iter(bench.figures['systems']))}."
        ),
        heads=tuple(map(Head, names)),
        rows=rows,
    )


def cost_by_length(bench: Stored, figure: Figure, *, width: int, height: int) -> Curves:
    """Speed or memory against the number of frames, for one size of frames.

    Raises:
        OptionError: nothing was measured at this size.
    """
    rows = [row for row in _fastest(bench) if (row["width"], row["height"]) == (width, height)]
    return _curves(bench, rows, figure, "frames", x=f"frames of {width}x{height}")


def cost_by_size(bench: Stored, figure: Figure, *, frames: int) -> Curves:
    """Speed or memory against the pixels of a frame, for one number of frames.

    Raises:
        OptionError: nothing was measured at this length.
    """
    rows = [
        row | {"megapixels": row["width"] * row["height"] / 1e6}
        for row in _fastest(bench)
        if row["frames"] == frames
    ]
    return _curves(bench, rows, figure, "megapixels", x=f"megapixels of a frame, {frames} frames")


def _curves(bench: Stored, rows: list[dict[str, Any]], figure: Figure, along: str, *, x: str) -> Curves:
    """A line for each system."""
    marks: dict[str, list[Mark]] = {row["system"]: [] for row in rows}
    for row in sorted(rows, key=lambda row: row[along]):
        marks[row["system"]].append(Mark(float(row[along]), _value(row, figure)))
    if not marks:
        raise OptionError(f"nothing was measured over {x}. Name what the benchmark has.")
    kinds = {name: about.get("kind") for name, about in bench.figures["systems"].items()}
    series = tuple(Series(name, tuple(each), dashed=kinds[name] == "codec") for name, each in marks.items())
    return Curves(x=x, y=_FIGURES[figure], log_y=True, series=series)


def _fastest(bench: Stored) -> Iterator[dict[str, Any]]:
    """The row of each clip and system in its fastest way."""
    return filter(_is_fastest, bench.figures["rows"])


def _is_fastest(row: Mapping[str, Any]) -> bool:
    return bool(row.get("fastest"))


def _value(row: Mapping[str, Any], figure: Figure) -> float:
    return float(row["both_mpx_per_s"]["median"] if figure == "speed" else row["peak_mib"])


def _cells(row: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[Cell]:
    yield Cell(", ".join(word for word in (row["format"], row["mode"]) if word) or ABSENT)
    for part in ("encode", "decode"):
        yield Cell(f"{row[f'{part}_mpx_per_s']['median']:.3g}")
    yield _spread(row["both_mpx_per_s"])
    yield Cell(f"{row['first_frame_seconds']['median']:.3g}")
    yield Cell(f"{row['peak_mib']:.0f}")
    yield Cell(f"{about['mflop_per_pixel']:.3g}" if "mflop_per_pixel" in about else ABSENT)
    yield _spread(row["times_of_first"]["both"]) if "times_of_first" in row else Cell()


def _spread(found: Mapping[str, float]) -> Cell:
    return Cell(f"{found['median']:.3g}", note=f"{found['lowest']:.3g} to {found['highest']:.3g}")
