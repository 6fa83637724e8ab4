"""A picture of a ``.tube`` file's map of counts: how many channels each position has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from tubelet.bitstream.part_header import PartHeader
from tubelet.bitstream.reader import TubeReader
from tubelet.errors import OptionError
from tubelet.files import check_suffix, replacing
from tubelet.report.plots import METADATA, STYLE, SUFFIXES, WIDTH, load_matplotlib
from tubelet.report.titles import shown_name

STEPS = 6
"""Latent steps at most that are shown one by one."""

_MOST_POSITIONS = 1 << 24

_COLOURS = "cividis"
"""From dark blue to yellow, ever lighter: the same to the colour-blind, and in print without colours."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CountsMap:
    """How many channels the positions of a part have.

    Attributes:
        part: its name.
        permitted: the numbers of channels that a position may have, increasing; two at least.
        mean: of each position, over all latent steps.
        steps: some latent steps by their numbers, as they are.
        shape: rows and columns of pixels of a position.
    """

    part: str
    permitted: tuple[int, ...]
    mean: Float[np.ndarray, "h w"]
    steps: Mapping[int, Int[np.ndarray, "h w"]]
    shape: tuple[int, int]


def read_maps(reader: TubeReader, path: Path) -> list[CountsMap]:
    """The maps of all parts that have one; a chunk at a time is in memory.

    Args:
        reader: the open file.
        path: its name, for messages.

    Raises:
        OptionError: the file has no map, or one that is too large to be looked at.
        BitstreamError: a map is damaged, or coded with a prior that is not given.
    """
    header = reader.header
    mapped = [place for place, part in enumerate(header.parts) if part.has_map]
    if not mapped or not reader.steps:
        every = ", ".join(str(part.counts[0] if part.counts else part.channels) for part in header.parts)
        raise OptionError(
            f"{path} has no map of counts: every position has the same number of channels ({every:.80}). "
            "Encode with a budget, as --budget 8, for one that has."
        )
    sums: dict[int, _Sum] = {place: _Sum(reader, header.parts[place]) for place in mapped}
    for number in range(len(reader.chunks)):
        every_part = reader.read_counts(number)
        for place, total in sums.items():
            if (counts := every_part[place]) is not None:
                total.add(counts)
    return [total.result() for total in sums.values()]


class _Sum:
    """The counts of a part, added up while they are read."""

    def __init__(self, reader: TubeReader, part: PartHeader) -> None:
        steps = reader.header.part_steps(part, 0, reader.steps)
        most = max(entry.steps for entry in reader.chunks) * reader.header.stride[0] // part.stride[0]
        if most * part.rows * part.columns > _MOST_POSITIONS:
            raise OptionError(
                f"a chunk has {most} maps of {part.columns}x{part.rows} positions; {_MOST_POSITIONS} "
                "positions at most are drawn. There is no picture of this file."
            )
        self._part = part
        self._sum = np.zeros((part.rows, part.columns), np.int64)
        self._wanted = set(np.linspace(0, steps - 1, min(STEPS, steps)).round().astype(int).tolist())
        self._shown: dict[int, Int[np.ndarray, "h w"]] = {}
        self._done = 0

    def add(self, counts: Int[np.ndarray, "t h w"]) -> None:
        """Take the counts of the next latent steps."""
        self._sum += counts.sum(axis=0)
        for place, step in enumerate(counts, start=self._done):
            if place in self._wanted:
                self._shown[place] = step.copy()
        self._done += len(counts)

    def result(self) -> CountsMap:
        """The map of all that was taken."""
        part = self._part
        mean = self._sum / self._done
        return CountsMap(
            part=part.name, permitted=part.counts, mean=mean, steps=self._shown, shape=part.stride[1:]
        )


def draw_maps(maps: Sequence[CountsMap], target: Path, *, force: bool = False) -> None:
    """Draw maps of counts, one below the other: the mean of all steps, some steps, and a scale of colours.

    Args:
        maps: one at least.
        target: ``.png`` (300 dots per inch), ``.svg`` or ``.pdf``.
        force: whether a file of that name is replaced.

    Raises:
        OptionError: the suffix is another, or matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    check_suffix(target, SUFFIXES, "a picture of a map")
    matplotlib = load_matplotlib()
    with replacing(target, force=force) as path, matplotlib.rc_context(STYLE | {"axes.grid": False}):
        height = sum(_height(each) for each in maps)
        figure = matplotlib.figure.Figure(figsize=(2.1 * WIDTH, height), layout="constrained")
        rows = figure.subfigures(len(maps), 1, squeeze=False, height_ratios=[_height(each) for each in maps])
        for row, each in zip(rows[:, 0], maps, strict=True):
            _draw_row(row, each, named=len(maps) > 1)
        figure.savefig(path, dpi=300, metadata=METADATA[target.suffix.lower()])


def _height(each: CountsMap) -> float:
    """Inches that a map takes: its mean fills nearly half of the width, within reason."""
    rows, columns = each.mean.shape
    high = WIDTH * (rows * each.shape[0]) / (columns * each.shape[1])
    return 0.7 + min(max(high, 0.6), 1.6 * WIDTH)


def _draw_row(figure: Any, each: CountsMap, *, named: bool) -> None:  # noqa: ANN401  of matplotlib
    """The mean of a map at the left, some steps beside it, and what the colours stand for."""
    count = len(each.steps)
    across = (count + 1) // 2
    places = [["mean"] * 2 + [f"step {number}" for number in numbers] for numbers in _rows_of(each, across)]
    axes = figure.subplot_mosaic(places, empty_sentinel="step -1")
    name = f"{shown_name(each.part)}: " if named else ""
    pictures = {"mean": each.mean} | {f"step {number}": counts for number, counts in each.steps.items()}
    image = None
    for title, picture in pictures.items():
        image = axes[title].imshow(
            picture,
            cmap=_COLOURS,
            norm=_norm(each.permitted),
            aspect=each.shape[0] / each.shape[1],
            interpolation="nearest",
        )
        axes[title].set_xticks([])
        axes[title].set_yticks([])
        axes[title].set_title(title, fontsize=7)
    axes["mean"].set_title(f"{name}mean of all steps: {each.mean.mean():.2f} channels", fontsize=8)
    scale = figure.colorbar(image, ax=list(axes.values()), ticks=list(each.permitted), shrink=0.9)
    scale.ax.minorticks_off()
    scale.set_ticklabels([str(count) for count in each.permitted])
    scale.set_label("channels per position")


def _rows_of(each: CountsMap, across: int) -> list[list[int]]:
    """The numbers of the steps in two rows; -1 where there is none."""
    numbers = list(each.steps)
    numbers += [-1] * (2 * across - len(numbers))
    return [numbers[:across], numbers[across:]]


def _norm(permitted: tuple[int, ...]) -> Any:  # noqa: ANN401  of matplotlib
    """Counts to colours: those that are permitted are evenly spaced, whatever lies between them."""
    places = np.arange(len(permitted), dtype=float)
    ways = (lambda counts: np.interp(counts, permitted, places), lambda at: np.interp(at, places, permitted))
    return load_matplotlib().colors.FuncNorm(ways, vmin=permitted[0], vmax=permitted[-1])
