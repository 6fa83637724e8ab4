"""A picture of the motion in a ``.tube`` file: arrows from where things are to where they go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from tubelet.bitstream.part_header import PartHeader
from tubelet.bitstream.reader import TubeReader
from tubelet.errors import OptionError
from tubelet.files import check_suffix, replacing
from tubelet.report.plots import METADATA, STYLE, SUFFIXES, WIDTH, load_matplotlib

PART = "motion"
"""The name of the part that is drawn."""

STEPS = 6
"""Latent steps at most that are shown."""

ARROWS = 48
"""Arrows in a row or column at most; of larger fields every second or third position is shown."""

_STEP_UNIT = 2.0**-20
"""What a step of 1 in a file is, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MotionField:
    """How far the positions of a clip move within their latent steps.

    Attributes:
        steps: of some latent steps, by their numbers, pixels to the right and down from the first frame of
            the step to its last.
        shape: rows and columns of pixels of a position.
    """

    steps: Mapping[int, Float[np.ndarray, "2 h w"]]
    shape: tuple[int, int]


def read_field(reader: TubeReader, path: Path) -> MotionField:
    """The motion of up to `STEPS` latent steps, evenly spread over the clip.

    Args:
        reader: the open file.
        path: its name, for messages.

    Raises:
        OptionError: the file has no motion.
        BitstreamError: a chunk is damaged, or coded with a prior that is not given.
    """
    header = reader.header
    found = [place for place, part in enumerate(header.parts) if part.name == PART]
    if not found or not reader.steps:
        raise OptionError(
            f"{path} holds no motion: its tokenizer looks for none. Encode with one that does, such as "
            "--tokenizer klt-4x8x8-motion."
        )
    part = header.parts[found[0]]
    # Of the others as little as can be read.
    least = {each.name: 1 for each in header.parts if each.name != PART}
    wanted = sorted(
        set(np.linspace(0, reader.steps - 1, min(STEPS, reader.steps)).round().astype(int).tolist())
    )
    steps: dict[int, Float[np.ndarray, "2 h w"]] = {}
    for step in wanted:
        number = reader.chunk_of_step(step)
        symbols = reader.read_chunk(number, channels=least).parts[found[0]].symbols
        steps[step] = _pixels(symbols[-2:, step - reader.chunks[number].first_step], part)
    return MotionField(steps=steps, shape=part.stride[1:])


def _pixels(symbols: np.ndarray, part: PartHeader) -> Float[np.ndarray, "2 h w"]:
    """The last two channels of motion."""
    return symbols * (np.array(part.steps[-2:])[:, None, None] * _STEP_UNIT)


def draw_field(field: MotionField, target: Path, *, force: bool = False) -> None:
    """Draw the motion of latent steps, one beside the other, in pixels of the clip.

    Args:
        field: what to draw.
        target: ``.png`` (300 dots per inch), ``.svg`` or ``.pdf``.
        force: whether a file of that name is replaced.

    Raises:
        OptionError: the suffix is another, or matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    check_suffix(target, SUFFIXES, "a picture of motion")
    matplotlib = load_matplotlib()
    across = min(3, len(field.steps))
    down = -(-len(field.steps) // across)
    rows, columns = next(iter(field.steps.values())).shape[1:]
    high = 2 * WIDTH / across * (rows * field.shape[0]) / (columns * field.shape[1])
    size = (2 * WIDTH, down * (min(max(high, 0.6), 4 * WIDTH) + 0.3))
    with replacing(target, force=force) as path, matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
        axes: Sequence[Any] = figure.subplots(down, across, squeeze=False).flatten()
        for each in axes:
            each.set_axis_off()
        for place, (step, moved) in zip(axes, field.steps.items(), strict=False):
            _draw_step(place, step, moved, field.shape)
        figure.savefig(path, dpi=300, metadata=METADATA[target.suffix.lower()])


def shown_places(rows: int, columns: int) -> tuple[slice, slice]:
    """The rows and columns of a field that have an arrow: all, or evenly spaced ones."""
    every = -(-max(rows, columns) // ARROWS)
    return slice(every // 2, rows, every), slice(every // 2, columns, every)


def _draw_step(axes: Any, step: int, moved: Float[np.ndarray, "2 h w"], shape: tuple[int, int]) -> None:  # noqa: ANN401  of matplotlib
    """The arrows of one latent step; what stands still has none."""
    rows, columns = moved.shape[1:]
    y, x = np.mgrid[shown_places(rows, columns)]
    right, below = moved[:, y, x]
    moves = (right != 0) | (below != 0)
    lengths = np.hypot(moved[0], moved[1])
    axes.set_axis_on()
    axes.set_title(
        f"step {step}: {lengths.mean():.1f} pixels on average, {lengths.max():.0f} at most", fontsize=6
    )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlim(0, columns * shape[1])
    axes.set_ylim(rows * shape[0], 0)
    axes.set_aspect("equal")
    starts = (x[moves] + 0.5) * shape[1], (y[moves] + 0.5) * shape[0]
    axes.quiver(
        *starts, right[moves], below[moves], angles="xy", scale_units="xy", scale=1, width=0.003, color="C0"
    )
