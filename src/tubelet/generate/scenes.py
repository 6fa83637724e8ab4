"""Rendered scenes as training data: a part of all there are, small enough for an hour of one core."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count, islice
from typing import Any, Literal, final

import numpy as np

from tubelet.data.scenes import (
    COLOURS,
    DIRECTIONS,
    GROUND_COLOURS,
    SHAPES,
    SIZES,
    Scene,
    SceneOptions,
    scene_at,
)
from tubelet.errors import OptionError
from tubelet.generate.captioned import CaptionedClip
from tubelet.generate.known_tokenizer import KnownTokenizer, encode_frames

_AT_ONCE = 8
"""Clips that are encoded together."""

_APART = 0.04
"""Least gap between things, in shorter sides: 2.5 pixels of 64, so that soft edges do not touch."""

_GROUND = re.compile(r" (?:over|on|in front of) [^,]*$")
"""What a caption says of the ground; it stands at its end."""


def _hyphened(words: str) -> str:
    """A name of two words as one, for the command line."""
    return words.replace(" ", "-")


_GROUNDS = tuple(_hyphened(name) for name in GROUND_COLOURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneData:
    """Scenes of things that move straight on over a plain ground and never touch; each says what it shows.

    Attributes:
        clips: how many of them.
        frames: of each.
        fps: frames per second; with fewer, large and fast things would leave the frame.
        height: rows of pixels.
        width: columns of pixels.
        things: in each, at most.
        least_things: in each, at least; as many as at most for none.
        colours: of things.
        shapes: of things.
        directions: in which they move.
        sizes: of things.
        grounds: colours of grounds, of two words with a hyphen.
        unsaid: fraction of the captions that do not say the colour of the ground.
        seed: of what is drawn.
    """

    clips: int = 6000
    frames: int = 17
    fps: float = 30.0
    height: int = 64
    width: int = 64
    things: int = 1
    least_things: int | None = None
    colours: tuple[str, ...] = ("red", "yellow", "green", "cyan", "blue", "purple", "pink", "white")
    shapes: tuple[str, ...] = ("circle", "square", "triangle", "cross")
    directions: tuple[str, ...] = ("right", "down", "left", "up")
    sizes: tuple[str, ...] = ("medium", "large")
    grounds: tuple[str, ...] = ("black", "gray", "dark-blue")
    unsaid: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.clips < 1 or not 0 <= self.unsaid <= 1:
            raise OptionError(
                f"clips are {self.clips} and unsaid is {self.unsaid}; there is at least one clip, and the "
                "other is a fraction from 0 to 1."
            )
        for chosen, known in (
            (self.colours, COLOURS), (self.shapes, SHAPES), (self.directions, DIRECTIONS),
            (self.sizes, SIZES), (self.grounds, _GROUNDS),
        ):  # fmt: skip
            if unknown := sorted(set(chosen) - set(known)):
                raise OptionError(f"scenes know no {', '.join(unknown)}; there are {', '.join(known)}.")
            if not chosen:
                raise OptionError(f"no word is chosen of {', '.join(known)}; choose one at least.")

    def all_scenes(self, combinations: Literal["all", "seen", "held-out"] = "seen") -> Iterator[Scene]:
        """The scenes of these words, without end; the same ones in every process.

        Args:
            combinations: of colour, shape and direction: those for training, the tenth that is kept out of
                it, or all.

        Raises:
            OptionError: no combination of these words is one of those.
        """
        options = SceneOptions(
            height=self.height,
            width=self.width,
            frames=self.frames,
            fps=self.fps,
            things=(self.things if self.least_things is None else self.least_things, self.things),
            grounds=("plain",),
            colours=self.colours,
            shapes=self.shapes,
            directions=self.directions,
            sizes=self.sizes,
            ground_colours=tuple(name.replace("-", " ") for name in self.grounds),
            combinations=combinations,
            still=0.0,
            bounce=0.0,
            spin=0.0,
            grow=0.0,
            pan=0.0,
        )
        scenes = (scene_at(index, seed=self.seed, options=options) for index in count())
        return (scene for scene in scenes if self._shows(scene))

    def _shows(self, scene: Scene) -> bool:
        """Whether all things of a scene move straight on, and each by itself."""
        straight = not any(thing.motion.bounce for thing in scene.things)
        return straight and (len(scene.things) == 1 or scene.least_gap >= _APART)

    def caption(self, scene: Scene) -> str:
        """What is seen in a scene; of some, without the ground."""
        said = np.random.default_rng((self.seed, scene.phrasing)).random() >= self.unsaid
        return scene.caption if said else _GROUND.sub("", scene.caption)


@final
class SceneClips:
    """Rendered scenes, encoded: what a generator is trained on where no other data are given."""

    def __init__(self, data: SceneData) -> None:
        self._data = data

    def facts(self) -> dict[str, Any]:
        """Which scenes they are."""
        return {"scenes": asdict(self._data)}

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self._data.fps

    def __len__(self) -> int:
        return self._data.clips

    def encoded(self, known: KnownTokenizer) -> Iterator[CaptionedClip]:
        """Render scenes, and encode them a few at a time."""
        scenes = islice(self._data.all_scenes(), self._data.clips)
        while some := list(islice(scenes, _AT_ONCE)):
            encoded = encode_frames(known, np.stack([scene.frames() for scene in some]))
            for scene, each in zip(some, encoded, strict=True):
                yield CaptionedClip(each, self._data.caption(scene))
