"""Batches of random windows of prepared crops, the same for every number of processes, made ahead."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from tubelet.data.batches_ahead import BatchesAhead
from tubelet.data.crops import Crops
from tubelet.data.scenes import SceneOptions, draw_scene
from tubelet.data.scenes.words import DRAWN_KINDS
from tubelet.errors import OptionError
from tubelet.types import Frames

Batch = UInt8[np.ndarray, "b T H W 3"]
"""Windows of crops, RGB, 0 to 255."""

_SCENES = 6
"""Which stream of random numbers scenes are drawn from; those of `train.tokenizer.draws` are others."""

_DEPTH = 3
"""Batches that may wait for their consumer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What one step of training sees.

    Attributes:
        batch: windows of a step, over all processes.
        frames: of a window.
        side: rows and columns of a window, in pixels.
        flip: whether half of the windows, at random, are mirrored left to right.
        reverse: whether half of the windows, at random, run backwards.
        scenes: share of the windows that are rendered scenes (`data.scenes`) in place of windows of crops.
    """

    batch: int
    frames: int
    side: int
    flip: bool = True
    reverse: bool = False
    scenes: float = 0.0

    def __post_init__(self) -> None:
        if min(self.batch, self.frames, self.side) < 1:
            raise OptionError(
                f"batch is {self.batch}, frames is {self.frames} and side is {self.side}; each is at least 1."
            )
        if not 0 <= self.scenes <= 1:
            raise OptionError(f"scenes is {self.scenes}; it is a share from 0 to 1.")

    def check(self, crops: Crops) -> None:
        """Raise if the windows do not fit into the crops.

        Raises:
            OptionError: they do not.
        """
        if self.frames > crops.frames or self.side > crops.side:
            raise OptionError(
                f"windows have {self.frames} frames of {self.side}x{self.side} and crops have {crops.frames} "
                f"of {crops.side}x{crops.side}; a window lies inside a crop. Set frames or side of the "
                "stages smaller (--stages.0.side), or prepare larger crops (--crop and --frames)."
            )


def draw_clip(crops: Crops, draw: Draw, *, seed: int, step: int, index: int) -> Frames:
    """Draw a window: a clip, one of its crops, a place in it, and whether it is mirrored or runs backwards.

    All choices are uniform, so every clip counts the same, and they depend on nothing but the arguments.

    Args:
        crops: where windows are cut from.
        draw: their size.
        seed: of the run.
        step: of the run, from 0.
        index: of the window in the batch of all processes, from 0.

    Raises:
        OptionError: the windows do not fit into the crops, or a number is negative.
    """
    draw.check(crops)
    if min(seed, step, index) < 0:
        raise OptionError(f"seed is {seed}, step is {step} and index is {index}; none is negative.")
    if draw.scenes:
        random = np.random.default_rng((seed, step, index, _SCENES))
        if random.random() < draw.scenes:
            return _rendered(draw, random)
    generator = np.random.default_rng((seed, step, index))
    own = crops.of_clip(int(generator.integers(len(crops.clips))))
    crop = own[int(generator.integers(len(own)))]
    first = int(generator.integers(crops.frames - draw.frames + 1))
    row, column = (int(each) for each in generator.integers(crops.side - draw.side + 1, size=2))
    mirrored, backwards = (bool(each) for each in generator.integers(2, size=2))
    shown = crops.window(crop, first, draw.frames)
    window = shown[:, row : row + draw.side, column : column + draw.side]
    if draw.flip and mirrored:
        window = window[:, :, ::-1]
    if draw.reverse and backwards:
        window = window[::-1]
    return np.array(window, order="C")


def _rendered(draw: Draw, random: np.random.Generator) -> Frames:
    """A scene of one to three things in the size of a window."""
    options = SceneOptions(
        height=draw.side,
        width=draw.side,
        frames=draw.frames,
        things=(1, 3),
        kinds=DRAWN_KINDS,
        combinations="seen",
    )
    return draw_scene(random, options).frames()


def draw_batch(crops: Crops, draw: Draw, *, seed: int, step: int, indices: range) -> Batch:
    """Draw the windows `indices` of the batch of a step; the union over all processes is the whole batch.

    Raises:
        OptionError: an index is not in the batch, or see `draw_clip`.
    """
    if not indices or min(indices) < 0 or max(indices) >= draw.batch:
        raise OptionError(
            f"indices is {indices} and a batch has {draw.batch} windows; give some of those from 0 on."
        )
    return np.stack([draw_clip(crops, draw, seed=seed, step=step, index=index) for index in indices])


def crop_feed(
    crops: Crops, draw: Draw, *, seed: int, first_step: int = 0, indices: range | None = None
) -> BatchesAhead[Batch]:
    """The batches of all steps from `first_step` on, made ahead in a thread.

    Args:
        crops: where windows are cut from.
        draw: their size, and how many a step has.
        seed: of the run.
        first_step: of the first batch; the step to go on with after a restart.
        indices: the windows of each batch that this process needs; None for all.

    Raises:
        OptionError: the windows do not fit into the crops.
    """
    draw.check(crops)
    wanted = range(draw.batch) if indices is None else indices
    return BatchesAhead(
        lambda step: draw_batch(crops, draw, seed=seed, step=step, indices=wanted),
        first=first_step,
        depth=_DEPTH,
    )
