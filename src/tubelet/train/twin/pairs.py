"""Pairs of clips: windows of crops, or rendered scenes whose true swap is known; made ahead in a thread."""

import itertools
import time
from collections.abc import Generator
from dataclasses import replace
from types import TracebackType
from typing import NamedTuple, final

import numpy as np
import torch
from jaxtyping import UInt8

from tubelet.data.crops import Crops
from tubelet.data.feed import Draw, draw_clip
from tubelet.data.scenes import Scene, SceneOptions, draw_scene
from tubelet.threads import ahead
from tubelet.train.tokenizer.batches import to_video
from tubelet.train.twin.config import TwinStage, TwinTrainConfig
from tubelet.types import Video

_DEPTH = 2
_SCENES = 6
"""Which stream of random numbers: those of windows and of what the decoder gets are others."""

Clips = UInt8[np.ndarray, "b T H W 3"]


class Pairs(NamedTuple):
    """Clips of a batch, the two of each pair side by side; the rendered pairs come last.

    Attributes:
        clips: all of them.
        swapped: of each clip of a rendered pair: its things and its ground, moved as those of its partner.
    """

    clips: Clips
    swapped: Clips


class PairsOfVideo(NamedTuple):
    """The same as model input."""

    clips: Video
    swapped: Video


def exchanged(scene: Scene, other: Scene) -> Scene:
    """The things and the ground of a scene with the motion of another, camera included."""
    things = zip(scene.things, other.things, strict=True)
    moved = tuple(replace(thing, motion=theirs.motion) for thing, theirs in things)
    return replace(scene, things=moved, camera=other.camera)


def draw_scenes(stage: TwinStage, *, seed: int, step: int, index: int) -> tuple[Scene, Scene]:
    """A pair of scenes with one thing each; combinations that are held out for tests are not among them."""
    random = np.random.default_rng((seed, step, index, _SCENES))
    options = SceneOptions(
        height=stage.side,
        width=stage.side,
        frames=stage.frames,
        kinds=("shape", "letter", "digit"),
        combinations="seen",
    )
    return draw_scene(random, options), draw_scene(random, options)


def draw_pairs(
    crops: Crops, config: TwinTrainConfig, stage: TwinStage, *, step: int, indices: range
) -> Pairs:
    """The pairs `indices` of the batch of a step; they depend on nothing but the arguments."""
    rendered = [index for index in indices if is_rendered(index, config.scenes)]
    windows = Draw(batch=2 * stage.batch, frames=stage.frames, side=stage.side)
    clips = [
        draw_clip(crops, windows, seed=config.seed, step=step, index=2 * index + each)
        for index in indices
        if index not in rendered
        for each in range(2)
    ]
    swapped: list[np.ndarray] = []
    for index in rendered:
        first, second = draw_scenes(stage, seed=config.seed, step=step, index=index)
        clips += [first.frames(), second.frames()]
        swapped += [exchanged(first, second).frames(), exchanged(second, first).frames()]
    empty = np.empty((0, stage.frames, stage.side, stage.side, 3), np.uint8)
    return Pairs(np.stack(clips), np.stack(swapped) if swapped else empty)


def is_rendered(index: int, fraction: float) -> bool:
    """Whether a pair of a batch is rendered: a fraction of all, spread evenly over the batch."""
    return int((index + 1) * fraction) > int(index * fraction)


def to_videos(pairs: Pairs, device: torch.device) -> PairsOfVideo:
    """Stored frames as model input."""
    return PairsOfVideo(*(to_video(clips, device) for clips in pairs))


@final
class PairFeed:
    """The batches of all iterations from `first` on, made ahead in a thread; a context manager and iterator.

    Attributes:
        waited_seconds: how long the consumer has waited for batches so far.
    """

    def __init__(
        self, crops: Crops, config: TwinTrainConfig, stage: TwinStage, *, first: int, indices: range
    ) -> None:
        self.waited_seconds = 0.0
        self._crops, self._config, self._stage = crops, config, stage
        self._first, self._indices = first, indices
        self._batches: Generator[Pairs] | None = None

    def __enter__(self) -> "PairFeed":
        self._batches = ahead(self._all(), depth=_DEPTH)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._batches is not None:
            self._batches.close()

    def __next__(self) -> Pairs:
        began = time.perf_counter()
        batch = None if self._batches is None else next(self._batches, None)
        self.waited_seconds += time.perf_counter() - began
        if batch is None:
            raise RuntimeError("a feed gives batches inside its `with` block only, and none after an error.")
        return batch

    def _all(self) -> Generator[Pairs]:
        for step in itertools.count(self._first):
            yield draw_pairs(self._crops, self._config, self._stage, step=step, indices=self._indices)
