"""What a rendered scene is made of, each part replaceable by another.

Places are in shorter sides of the frame, from its middle, y downwards, so that a scene looks alike at any
size; times are in seconds. Where a thing is, how it is turned and how large it is are functions of time.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite, log

import numpy as np
from jaxtyping import Bool, Float

from tubelet.data.scenes.emoji import EMOJI
from tubelet.data.scenes.glyphs import DIGITS, LETTERS
from tubelet.data.scenes.words import COLOURS, DIRECTIONS, GROUND_COLOURS, GROUND_KINDS, KINDS, SHAPES, SPEEDS
from tubelet.errors import OptionError

NAMES = {"shape": SHAPES, "letter": LETTERS, "digit": DIGITS, "emoji": tuple(EMOJI)}
"""What there is of each kind."""

LARGEST_GROWTH = 2.0
"""A thing grows to this many times its size at time 0 at most, and shrinks to its inverse at least."""

Times = Float[np.ndarray, " T"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """How a thing looks.

    Attributes:
        kind: shape, letter, digit or emoji.
        name: of the shape or emoji, or the letter or digit itself.
        colour: of `COLOURS`; empty for an emoji, which has its own.
        size: radius of the disc around it at time 0, in shorter sides of the frame.
    """

    kind: str = "shape"
    name: str = "circle"
    colour: str = "red"
    size: float = 0.13

    def __post_init__(self) -> None:
        check_word(self.kind, KINDS, "the kind of a thing")
        check_word(self.name, NAMES[self.kind], "an emoji" if self.kind == "emoji" else f"a {self.kind}")
        if self.kind != "emoji":
            check_word(self.colour, COLOURS, "the colour of a thing")
        elif self.colour:
            raise OptionError(
                f"the colour of an emoji is {self.colour!r:.40}; it has its own. Leave colour empty."
            )
        check_number(self.size, 1e-3, 10, "the size of a thing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """How a thing moves, whatever it looks like.

    Attributes:
        x: middle of the thing at time 0.
        y: the same.
        direction: of `DIRECTIONS`, over the ground, at time 0.
        speed: shorter sides per second; 0 for a thing that stays.
        bounce: whether it turns back at the edges of the frame.
        margin: how far from an edge its middle turns back.
        angle: turns, clockwise, at time 0.
        spin: turns per second, clockwise.
        growth: by which part of its size it grows per second, continuously; below 0 it shrinks.
    """

    x: float = 0.0
    y: float = 0.0
    direction: str = "right"
    speed: float = SPEEDS["medium"]
    bounce: bool = False
    margin: float = 0.13
    angle: float = 0.0
    spin: float = 0.0
    growth: float = 0.0

    def __post_init__(self) -> None:
        check_word(self.direction, DIRECTIONS, "a direction")
        if type(self.bounce) is not bool:
            raise OptionError(f"bounce is {self.bounce!r:.40}; it is true or false.")
        check_number(self.speed, 0, 100, "a speed")
        check_number(self.margin, 0, 100, "the margin of a motion")
        for name in ("x", "y", "angle", "spin", "growth"):
            check_number(getattr(self, name), -1000, 1000, f"the {name} of a motion")

    def scale_at(self, times: Times) -> Times:
        """Size over the size at time 0."""
        most = log(LARGEST_GROWTH)
        return np.exp(np.clip(self.growth * times, -most, most))

    def angle_at(self, times: Times) -> Times:
        """Turns, clockwise."""
        return self.angle + self.spin * times


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something that moves over the ground."""

    appearance: Appearance = field(default_factory=Appearance)
    motion: Motion = field(default_factory=Motion)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What lies behind all things, without end.

    Attributes:
        kind: plain, gradient or photograph.
        colours: one of `GROUND_COLOURS`; the two ends of a gradient; none for a photograph.
        angle: turns, clockwise, from the right: where the second colour of a gradient lies.
        photograph: name of one that scikit-image carries; empty for others.
        x: the place in a gradient or photograph that is in the middle of the frame at time 0.
        y: the same.
    """

    kind: str = "plain"
    colours: tuple[str, ...] = ("gray",)
    angle: float = 0.0
    photograph: str = ""
    x: float = 0.0
    y: float = 0.0

    def __post_init__(self) -> None:
        check_word(self.kind, GROUND_KINDS, "the kind of a ground")
        count = {"plain": 1, "gradient": 2, "photograph": 0}[self.kind]
        if len(self.colours) != count:
            raise OptionError(f"a {self.kind} ground has {len(self.colours)} colours; it takes {count}.")
        for colour in self.colours:
            check_word(colour, GROUND_COLOURS, "the colour of a ground")
        if self.kind == "photograph":
            check_word(self.photograph, PHOTOGRAPHS, "a photograph")
        for name in ("angle", "x", "y"):
            check_number(getattr(self, name), -1000, 1000, f"the {name} of a ground")


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """Which way the camera pans: the ground, and all that lies on it, go the other way.

    Attributes:
        direction: of `DIRECTIONS`.
        speed: shorter sides per second; 0 for a camera that stands still.
    """

    direction: str = "right"
    speed: float = 0.0

    def __post_init__(self) -> None:
        check_word(self.direction, DIRECTIONS, "the direction of a camera")
        check_number(self.speed, 0, 100, "the speed of a camera")


PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
"""Colour photographs that are inside scikit-image, so that nothing is downloaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Where the middle of a thing is in the frame.

    Attributes:
        x: at each time.
        y: the same.
        turned: whether it turned back at an edge until then.
    """

    x: Times
    y: Times
    turned: Bool[np.ndarray, " T"]


def velocity_in_frame(motion: Motion, camera: Camera) -> tuple[float, float]:
    """Where a thing goes in the frame at time 0, in shorter sides per second."""
    own, pan = DIRECTIONS[motion.direction], DIRECTIONS[camera.direction]
    return (
        own[0] * motion.speed - pan[0] * camera.speed,
        own[1] * motion.speed - pan[1] * camera.speed,
    )


def path_of(motion: Motion, camera: Camera, times: Times, sides: tuple[float, float]) -> Path:
    """Follow a thing.

    Args:
        motion: of the thing.
        camera: of the scene.
        times: seconds.
        sides: width and height of the frame, in its shorter side.
    """
    found: list[Times] = []
    turned = np.zeros(len(times), dtype=bool)
    velocity = velocity_in_frame(motion, camera)
    for start, rate, side in zip((motion.x, motion.y), velocity, sides, strict=True):
        straight = start + rate * times
        if motion.bounce:
            half = max(side / 2 - motion.margin, 0.0)
            turned |= np.abs(straight) > max(half, abs(start))
            straight = _between_walls(straight, half)
        found.append(straight)
    return Path(x=found[0], y=found[1], turned=turned)


def _between_walls(straight: Times, half: float) -> Times:
    """The same way reflected at walls on both sides of the middle, as often as it takes."""
    if half == 0:
        return np.zeros_like(straight)
    phase = np.mod(straight + half, 4 * half)
    return np.where(phase <= 2 * half, phase, 4 * half - phase) - half


def check_word(word: str, known: Iterable[str], what: str) -> None:
    """Raise unless a word is known.

    Raises:
        OptionError: it is not.
    """
    words = tuple(known)
    if word not in words:
        raise OptionError(f"{what} is {word!r:.40}; it is one of {', '.join(words)}.")


def check_number(number: float | int, least: float | int, most: float | int, what: str) -> None:
    """Raise unless a number lies between two others.

    Raises:
        OptionError: it does not, or is not a number.
    """
    if not isinstance(number, int | float) or not isfinite(number) or not least <= number <= most:
        raise OptionError(f"{what} is {number!r:.40}; it is a number from {least:g} to {most:g}.")


def check_whole(number: int, least: int, most: int, what: str) -> None:
    """Raise unless a whole number lies between two others.

    Raises:
        OptionError: it does not, or is not a whole number.
    """
    if type(number) is not int or not least <= number <= most:
        raise OptionError(f"{what} is {number!r:.40}; it is a whole number from {least} to {most}.")
