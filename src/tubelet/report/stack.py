"""The source of a clip and what each system made of it, side by side in every frame.

A player that decodes one film of such frames shows all of them in step, whatever it drops or delays.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from tubelet.errors import VideoError
from tubelet.types import Frames
from tubelet.video.probe import probe
from tubelet.video.read import read
from tubelet.video.webm import LARGEST_SIDE

_WIDE = 8192
"""Columns of pixels after which a second row of panes begins."""

_RUN = 4
"""Frames that are stacked at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Videos of one size, one beside the other.

    Attributes:
        paths: of the videos, in the order of the panes.
        height: rows of each pane.
        width: columns of each pane.
        across: panes beside each other before the next row of them begins.
    """

    paths: tuple[Path, ...]
    height: int
    width: int
    across: int

    def runs(self) -> Iterator[Frames]:
        """All frames; panes that nothing fills are black.

        Raises:
            VideoError: a video cannot be read, or they differ in length.
        """
        down = -(-len(self.paths) // self.across)
        for runs in zip_longest(*(read(path, run=_RUN) for path in self.paths)):
            lengths = {0 if run is None else len(run.frames) for run in runs}
            if len(lengths) > 1:
                raise VideoError(f"{_names(self.paths)} differ in length. Evaluate again.")
            shape = (lengths.pop(), down * self.height, self.across * self.width, 3)
            whole = np.zeros(shape, np.uint8)
            for pane, run in enumerate(runs):
                top, left = self.height * (pane // self.across), self.width * (pane % self.across)
                whole[:, top : top + self.height, left : left + self.width] = run.frames
            yield whole


def open_stack(paths: tuple[Path, ...]) -> Stack:
    """Look at videos that are to be stacked.

    Raises:
        VideoError: one cannot be read, they differ in size, or are too large or too many for a browser.
    """
    sizes = {(info.height, info.width) for info in map(probe, paths)}
    if len(sizes) > 1:
        raise VideoError(f"{_names(paths)} differ in size. Evaluate again.")
    ((height, width),) = sizes
    across = max(1, min(len(paths), _WIDE // width))
    if max(across * width, -(-len(paths) // across) * height) > LARGEST_SIDE:
        raise VideoError(
            f"{len(paths)} panes of {width}x{height} are more than the {LARGEST_SIDE} rows or columns that "
            "browsers show. Evaluate fewer systems at a time."
        )
    return Stack(paths=paths, height=height, width=width, across=across)


def _names(paths: tuple[Path, ...]) -> str:
    return ", ".join(path.name for path in paths)
