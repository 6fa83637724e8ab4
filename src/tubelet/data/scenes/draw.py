"""Random scenes from a seed: what is drawn how often."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import hypot, log
from typing import Literal

import numpy as np

from tubelet.data.scenes.parts import (
    NAMES,
    PHOTOGRAPHS,
    Appearance,
    Camera,
    Ground,
    Motion,
    Thing,
    check_number,
    check_whole,
    check_word,
    path_of,
    velocity_in_frame,
)
from tubelet.data.scenes.scene import MOST_THINGS, Scene, is_held_out
from tubelet.data.scenes.words import (
    COLOURS,
    DIRECTIONS,
    GROUND_COLOURS,
    GROUND_KINDS,
    KINDS,
    ROUND,
    SHAPES,
    SIZES,
    SPEEDS,
)
from tubelet.errors import OptionError

COMBINATIONS = ("all", "seen", "held-out")

_JITTER = 0.1
"""Sizes and speeds lie within this of the one that their name stands for."""

_CONTRAST = 150.0
"""Least distance between the colours of a thing and of what is behind it, in levels."""

_PAN_SPEEDS = (0.15, 0.4)
_SPINS = (0.3, 1.0)
_GROWTH_IN_CLIP = 1.7
"""How many times larger or smaller a thing becomes within the clip."""

_ATTEMPTS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneOptions:
    """What random scenes are like.

    Attributes:
        height: rows of pixels.
        width: columns.
        frames: of a clip.
        fps: frames per second.
        things: least and most things in a scene.
        kinds: of things: shape, letter, digit, emoji (extra ``scenes``, and a colour font).
        grounds: kinds of grounds: plain, gradient, photograph (extra ``scenes``).
        colours: of things, as many as there are things or more.
        shapes: of things that are shapes.
        directions: in which things and the camera move.
        sizes: of things, by name.
        ground_colours: of plain grounds and gradients.
        combinations: of colour, name and direction: all; those seen in training; or the tenth that is held
            out of it.
        still: share of things that stay in place.
        bounce: share of things that turn back at the edges; all of those do whose way is longer than the
            frame.
        spin: share of things that turn.
        grow: share of things that grow or shrink.
        pan: share of scenes in which the camera pans.

    Raises:
        OptionError: a value has no meaning.
    """

    height: int = 64
    width: int = 64
    frames: int = 33
    fps: float = 24.0
    things: tuple[int, int] = (1, 1)
    kinds: tuple[str, ...] = ("shape",)
    grounds: tuple[str, ...] = ("plain", "gradient")
    colours: tuple[str, ...] = tuple(COLOURS)
    shapes: tuple[str, ...] = SHAPES
    directions: tuple[str, ...] = tuple(DIRECTIONS)
    sizes: tuple[str, ...] = tuple(SIZES)
    ground_colours: tuple[str, ...] = tuple(GROUND_COLOURS)
    combinations: Literal["all", "seen", "held-out"] = "all"
    still: float = 0.1
    bounce: float = 0.3
    spin: float = 0.2
    grow: float = 0.15
    pan: float = 0.15

    def __post_init__(self) -> None:
        Scene(height=self.height, width=self.width, count=self.frames, fps=self.fps)
        for name in ("still", "bounce", "spin", "grow", "pan"):
            check_number(getattr(self, name), 0, 1, f"the share {name}")
        check_word(self.combinations, COMBINATIONS, "which combinations are drawn")
        _check_words(self.kinds, KINDS, "a kind of things")
        _check_words(self.grounds, GROUND_KINDS, "a kind of grounds")
        _check_words(self.colours, COLOURS, "a colour of things")
        _check_words(self.shapes, SHAPES, "a shape of things")
        _check_words(self.directions, DIRECTIONS, "a direction")
        _check_words(self.sizes, SIZES, "a size of things")
        _check_words(self.ground_colours, GROUND_COLOURS, "a colour of grounds")
        if "gradient" in self.grounds and len(set(self.ground_colours)) < 2:
            raise OptionError(f"a gradient has two colours; {self.ground_colours} are given. Give another.")
        least, most = self.things
        for number in self.things:
            check_whole(number, 1, min(MOST_THINGS, len(self.colours)), "the number of things")
        if least > most:
            raise OptionError(
                f"{least} to {most} things were asked for; the second number is the larger one."
            )


def scene_at(index: int, *, seed: int = 0, options: SceneOptions | None = None) -> Scene:
    """One of an endless list of random scenes, the same whenever and wherever it is asked for."""
    return draw_scene(np.random.default_rng([seed, index]), options or SceneOptions())


def draw_scene(generator: np.random.Generator, options: SceneOptions) -> Scene:
    """A random scene. Its things have different colours, which stand out from the ground."""
    camera = Camera()
    if generator.random() < options.pan:
        camera = Camera(
            direction=_choose(generator, options.directions), speed=generator.uniform(*_PAN_SPEEDS)
        )
    count = int(generator.integers(options.things[0], options.things[1] + 1))
    drawn = generator.permutation(list(options.colours)).tolist()
    colours = [colour for colour in drawn if _has_combination(options, colour)]
    if len(colours) < count:
        raise OptionError(
            f"{len(colours)} of the colours {', '.join(options.colours)} have a combination of shape and "
            f"direction that is {options.combinations}, for {count} things; allow more of them."
        )
    things: list[Thing] = []
    for colour in colours[:count]:
        things.append(_thing(generator, options, colour, camera, things))
    return Scene(
        height=options.height,
        width=options.width,
        count=options.frames,
        fps=options.fps,
        things=tuple(things),
        ground=_ground(generator, options, [thing.appearance.colour for thing in things]),
        camera=camera,
        phrasing=int(generator.integers(2**31)),
    )


def _thing(
    generator: np.random.Generator,
    options: SceneOptions,
    colour: str,
    camera: Camera,
    others: list[Thing],
) -> Thing:
    """A thing of a colour that begins where none of the others is, if there is room."""
    kind = _choose(generator, options.kinds)
    names = _names(options, kind)
    while True:
        name, direction = _choose(generator, names), _choose(generator, options.directions)
        appearance = Appearance(
            kind=kind,
            name=name,
            colour=_colour_of(kind, colour),
            size=SIZES[_choose(generator, options.sizes)] * _jitter(generator),
        )
        thing = Thing(appearance=appearance, motion=_motion(generator, options, appearance, direction))
        if options.combinations == "all" or is_held_out(thing) == (options.combinations == "held-out"):
            break
    places = [_place(generator, options, thing, camera) for _ in range(_ATTEMPTS if others else 1)]
    return Thing(
        appearance=appearance, motion=max(places, key=lambda motion: _room(motion, appearance, others))
    )


@cache
def _has_combination(options: SceneOptions, colour: str) -> bool:
    """Whether things of a colour can be drawn, whatever their kind, of the combinations that are wanted."""
    held_out = {"all": (False, True), "seen": (False,), "held-out": (True,)}[options.combinations]
    return all(
        any(
            is_held_out(_plain_thing(kind, name, colour, direction)) in held_out
            for name in _names(options, kind)
            for direction in options.directions
        )
        for kind in options.kinds
    )


def _plain_thing(kind: str, name: str, colour: str, direction: str) -> Thing:
    return Thing(
        appearance=Appearance(kind=kind, name=name, colour=_colour_of(kind, colour)),
        motion=Motion(direction=direction),
    )


def _colour_of(kind: str, colour: str) -> str:
    """The colour of a thing; an emoji has its own."""
    return "" if kind == "emoji" else colour


def _names(options: SceneOptions, kind: str) -> tuple[str, ...]:
    return options.shapes if kind == "shape" else tuple(NAMES[kind])


def _motion(
    generator: np.random.Generator, options: SceneOptions, appearance: Appearance, direction: str
) -> Motion:
    """A motion from the middle of the frame; see `_place`."""
    seconds = options.frames / options.fps
    chances = generator.random(4)
    speed = SPEEDS[_choose(generator, SPEEDS)] * _jitter(generator)
    turns = chances[2] < options.spin and appearance.name not in ROUND
    grows = chances[3] < options.grow
    sign_of_spin, sign_of_growth = generator.choice([-1, 1], 2).tolist()
    return Motion(
        direction=direction,
        speed=0.0 if chances[0] < options.still else speed,
        bounce=bool(chances[1] < options.bounce),
        margin=appearance.size * (_GROWTH_IN_CLIP if grows and sign_of_growth > 0 else 1.0),
        spin=sign_of_spin * generator.uniform(*_SPINS) if turns else 0.0,
        growth=sign_of_growth * log(_GROWTH_IN_CLIP) / seconds if grows else 0.0,
    )


def _place(generator: np.random.Generator, options: SceneOptions, thing: Thing, camera: Camera) -> Motion:
    """The motion of a thing from a random place, so that it stays in the frame.

    One that bounces begins where it meets an edge within the clip, if such a place is found; any other where
    its whole way is in the frame. It bounces too where the frame is too small for its way.
    """
    motion, unit = thing.motion, min(options.height, options.width)
    sides = (options.width / unit, options.height / unit)
    halves = [max(side / 2 - motion.margin, 0.0) for side in sides]
    seconds = (options.frames - 1) / options.fps
    ways = [rate * seconds for rate in velocity_in_frame(motion, camera)]
    lows = [-half - min(0.0, way) for half, way in zip(halves, ways, strict=True)]
    highs = [half - max(0.0, way) for half, way in zip(halves, ways, strict=True)]
    if not motion.bounce and all(low <= high for low, high in zip(lows, highs, strict=True)):
        return _moved(motion, generator.uniform(lows, highs), bounce=False)
    end = np.array([seconds])
    for _ in range(_ATTEMPTS):
        placed = _moved(motion, generator.uniform(np.negative(halves), halves), bounce=True)
        if path_of(placed, camera, end, sides).turned[-1]:
            return placed
    return _moved(motion, generator.uniform(np.negative(halves), halves), bounce=True)


def _moved(motion: Motion, place: np.ndarray, *, bounce: bool) -> Motion:
    x, y = place.tolist()
    return replace(motion, x=x, y=y, bounce=bounce)


def _room(motion: Motion, appearance: Appearance, others: list[Thing]) -> float:
    """How far a thing begins from the nearest other; the same for all that touch none."""
    gaps = [
        hypot(motion.x - other.motion.x, motion.y - other.motion.y) - appearance.size - other.appearance.size
        for other in others
    ]
    return min(0.0, *gaps) if gaps else 0.0


def _ground(generator: np.random.Generator, options: SceneOptions, colours: list[str]) -> Ground:
    kind = _choose(generator, options.grounds)
    x, y, angle = generator.uniform(-1, 1), generator.uniform(-1, 1), generator.random()
    if kind == "photograph":
        return Ground(kind=kind, colours=(), photograph=_choose(generator, PHOTOGRAPHS), x=x, y=y)
    # No colour of a ground stands out from any ten colours; then all may be chosen.
    known = list(options.ground_colours)
    fitting = [name for name in known if all(_contrast(name, other) for other in colours)]
    names = generator.permutation(fitting if len(fitting) >= min(2, len(known)) else known).tolist()
    if kind == "plain":
        return Ground(colours=(names[0],))
    return Ground(kind=kind, colours=(names[0], names[1]), x=x, y=y, angle=angle)


def _contrast(ground: str, colour: str) -> bool:
    """Whether a thing stands out from a ground; an emoji, of many colours, does from any."""
    if not colour:
        return True
    apart = np.subtract(GROUND_COLOURS[ground], COLOURS[colour])
    return float(np.linalg.norm(apart)) >= _CONTRAST


def _choose(generator: np.random.Generator, words: Iterable[str]) -> str:
    known = list(words)
    return known[int(generator.integers(len(known)))]


def _jitter(generator: np.random.Generator) -> float:
    return float(generator.uniform(1 - _JITTER, 1 + _JITTER))


def _check_words(words: Sequence[str], known: Collection[str], what: str) -> None:
    if not words:
        raise OptionError(f"no {what.removeprefix('a ')} were given; there are {', '.join(known)}.")
    for word in words:
        check_word(word, known, what)
