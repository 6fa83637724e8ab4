"""What `tubelet bench` measured, as tables and plots: speed beside others, cost against length and size."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from tubelet.errors import OptionError
from tubelet.evaluate.cases import Case
from tubelet.evaluate.measures import MEASURES
from tubelet.evaluate.speed.figures import clip_of, variant_of
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

_MEASURES = tuple(each for each in MEASURES.values() if each.where == "bench")
"""What tables of benchmarks show."""

_HEADS = tuple(Head(each.heading) for each in _MEASURES)

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
    return Table(
        title=f"Speed: {clip}",
        protocol=bench.protocol,
        note=(
            "Each system in its fastest number format and mode. Medians of the rounds, in brackets lowest "
            "and highest. The last column: by how many times it takes as long, there and back, as "
            f"{_first(bench)}."
        ),
        heads=(Head("format, mode"), *_HEADS, Head("times as long")),
        rows=rows,
    )


def bench_line(bench: Stored) -> str:
    """How a benchmark was run, and how to read its tables."""
    run, first = bench.figures["run"], _first(bench)
    return (
        f"{run['device']}, {_counted(run['threads'], 'thread')}, {_counted(run['rounds'], 'round')}; "
        f"medians, in brackets lowest and highest. Times {first}: how many times as long it took; * is the "
        "fastest way of a system."
    )


def bench_tables(bench: Stored) -> tuple[Table, ...]:
    """A table of each clip, with every number format and mode, and one of how cost grows with length."""
    rows: list[dict[str, Any]] = bench.figures["rows"]
    heads = (*_HEADS, Head(f"times {_first(bench)}"))
    found: list[Table] = []
    for clip in dict.fromkeys(map(clip_of, rows)):
        timed = [row for row in rows if clip_of(row) == clip and "seconds" in row]
        if timed:
            lines = tuple(
                Row(str(variant_of(row)), tuple(_variant_cells(row, bench.figures["systems"][row["system"]])))
                for row in timed
            )
            found.append(Table(title=str(clip), protocol=bench.protocol, note="", heads=heads, rows=lines))
    if bench.figures["growth"]:
        names = ("size", "frames", "time per pixel", "peak MiB")
        found.append(
            Table(
                title="from the shortest to the longest clip of a size",
                protocol=bench.protocol,
                note="",
                heads=tuple(map(Head, names)),
                rows=tuple(
                    Row(str(variant_of(each)), _growth_cells(each)) for each in bench.figures["growth"]
                ),
            )
        )
    return tuple(found)


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


def _first(bench: Stored) -> str:
    """The system that the others are compared with."""
    return next(iter(bench.figures["systems"]))


def _variant_cells(row: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[Cell]:
    """Figures of speed, memory and operations, and the ratio to the first; a star for the fastest way."""
    yield from _measured(row, about)
    ratio = _spread(row["times_of_first"]["both"]) if "times_of_first" in row else Cell()
    yield ratio._replace(text=f"{ratio.text} *") if row["fastest"] else ratio


def _growth_cells(each: Mapping[str, Any]) -> tuple[Cell, ...]:
    """A line of the table of lengths."""
    short, long = each["frames"]
    before, after = each["peak_mib"]
    return (
        Cell(f"{each['width']}x{each['height']}"),
        Cell(f"{short} to {long}"),
        Cell(f"times {each['time_per_pixel_ratio']:.3g}"),
        Cell(f"{before:.0f} to {after:.0f}", note=f"times {after / before:.3g}"),
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _fastest(bench: Stored) -> Iterator[dict[str, Any]]:
    """The row of each clip and system in its fastest way."""
    return filter(_is_fastest, bench.figures["rows"])


def _is_fastest(row: Mapping[str, Any]) -> bool:
    return bool(row.get("fastest"))


def _value(row: Mapping[str, Any], figure: Figure) -> float:
    return float(row["both_mpx_per_s"]["median"] if figure == "speed" else row["peak_mib"])


def _cells(row: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[Cell]:
    """The number format and the mode, figures of speed, memory and operations, and the ratio to the first."""
    yield Cell(", ".join(word for word in (row["format"], row["mode"]) if word) or ABSENT)
    yield from _measured(row, about)
    yield _spread(row["times_of_first"]["both"]) if "times_of_first" in row else Cell()


def _measured(row: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[Cell]:
    """A cell for each of `_MEASURES`; what is compared has the range of the rounds too."""
    for measure in _MEASURES:
        found = row.get(measure.name, about.get(measure.name))
        if found is None:
            yield Cell()
        elif measure.name == "both_mpx_per_s":
            yield _spread(found)
        else:
            yield Cell(measure.shown(found["median"] if isinstance(found, Mapping) else found))


def _spread(found: Mapping[str, float]) -> Cell:
    return Cell(f"{found['median']:.3g}", note=f"{found['lowest']:.3g} to {found['highest']:.3g}")
