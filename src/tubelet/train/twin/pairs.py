"""Pairs of clips: windows of crops, or rendered scenes whose true swap is known; made ahead in a thread."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8

from tubelet.data.crops import Crops
from tubelet.data.feed import Draw, draw_clip
from tubelet.data.scenes import Scene, SceneOptions, draw_scene
from tubelet.data.scenes.words import DRAWN_KINDS
from tubelet.train.tokenizer.batches import to_video
from tubelet.train.twin.config import TwinStage, TwinTrainConfig
from tubelet.train.twin.naming import Labels, labels_of
from tubelet.types import Video

_SCENES = 6
"""Which stream of random numbers: those of windows and of what the decoder gets are others."""

Clips = UInt8[np.ndarray, "b T H W 3"]


class Pairs(NamedTuple):
    """Clips of a batch, the two of each pair side by side; the rendered pairs come last.

    Attributes:
        clips: all of them.
        swapped: of each clip of a rendered pair: its things and its ground, moved as those of its partner.
        labels: of each clip of a rendered pair.
    """

    clips: Clips
    swapped: Clips
    labels: Labels


class PairsOfVideo(NamedTuple):
    """The same as model input."""

    clips: Video
    swapped: Video
    labels: Labels


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
        kinds=DRAWN_KINDS,
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
    scenes: list[Scene] = []
    for index in rendered:
        first, second = draw_scenes(stage, seed=config.seed, step=step, index=index)
        scenes += [first, second]
        clips += [first.frames(), second.frames()]
        swapped += [exchanged(first, second).frames(), exchanged(second, first).frames()]
    empty = np.empty((0, stage.frames, stage.side, stage.side, 3), np.uint8)
    return Pairs(np.stack(clips), np.stack(swapped) if swapped else empty, labels_of(scenes))


def is_rendered(index: int, fraction: float) -> bool:
    """Whether a pair of a batch is rendered: a fraction of all, spread evenly over the batch."""
    return int((index + 1) * fraction) > int(index * fraction)


def to_videos(pairs: Pairs, device: torch.device) -> PairsOfVideo:
    """Stored frames as model input."""
    clips, swapped, labels = pairs
    return PairsOfVideo(to_video(clips, device), to_video(swapped, device), labels.to(device))
