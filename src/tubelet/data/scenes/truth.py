"""What is true of a rendered scene, in words and numbers that other programs can read."""

from dataclasses import dataclass
from typing import NamedTuple


class Place(NamedTuple):
    """Where a thing is in one frame.

    Attributes:
        x: of its middle, in pixels from the left edge of the frame.
        y: in pixels from the top edge.
        radius: of the disc around it, in pixels.
        angle: turns, clockwise.
        visible: share of its pixels inside the frame that nothing hides, 0 to 1; 0 where none is inside.
    """

    x: float
    y: float
    radius: float
    angle: float
    visible: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingTruth:
    """What is true of one thing.

    Attributes:
        kind: shape, letter, digit or emoji.
        name: of the shape or emoji, or the letter or digit itself.
        colour: of `COLOURS`; empty for an emoji.
        size: small, medium or large.
        direction: of `DIRECTIONS`, over the ground, at time 0; empty for a thing that stays.
        speed: slow, medium or fast; empty for a thing that stays.
        bounces: whether it turns back at an edge within the clip.
        spin: clockwise, counterclockwise or empty.
        growth: grows, shrinks or empty.
        held_out: whether its combination is kept out of training.
        trajectory: a place for each frame.
    """

    kind: str
    name: str
    colour: str
    size: str
    direction: str
    speed: str
    bounces: bool
    spin: str
    growth: str
    held_out: bool
    trajectory: tuple[Place, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is true of a scene.

    Attributes:
        caption: what is seen, in words.
        held_out: whether a combination is kept out of training.
        height: rows of pixels.
        width: columns.
        fps: frames per second.
        ground: plain, gradient or photograph.
        ground_colours: of `GROUND_COLOURS`.
        pan: the direction in which the camera pans; empty if it stands still.
        things: back to front.
    """

    caption: str
    held_out: bool
    height: int
    width: int
    fps: float
    ground: str
    ground_colours: tuple[str, ...]
    pan: str
    things: tuple[ThingTruth, ...]
