"""What is seen in a clip of moving things: their colour, shape, direction and speed, read from pixels alone.

It reads clips such as rendered scenes are: things of known shapes that move straight on over a smooth ground,
and whose colours stand out from it.
"""

from dataclasses import dataclass
from math import atan2, hypot, pi

import numpy as np
from jaxtyping import Float

from tubelet.data.scenes import COLOURS, DIRECTIONS, SHAPES, SPEEDS
from tubelet.data.scenes.captions import nearest_name
from tubelet.generate.evaluation.regions import Region, ground_of, regions_of
from tubelet.generate.evaluation.shapes import shape_scores
from tubelet.types import Frames

_LEAST_AREA = 0.004
"""Of a region, in squares of the frame's shorter side; the smallest things of scenes have six times that."""

_CONTRAST = 48.0
"""Levels from the ground from which a pixel is taken for a thing."""

_FARTHEST = 0.2
"""How far a thing may move from a frame to the next, in shorter sides."""

_LEAST_SPEED = 0.06
"""Shorter sides per second below which a thing stands still."""

_LEAST_SEEN = 0.5
"""Fraction of the frames in which a thing must be seen to count as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedThing:
    """A thing, as it is seen.

    Attributes:
        colour: the nearest of `COLOURS`.
        shape: the one of `SHAPES` that covers it best.
        fit: how well that covers it, 0 to 1, in the mean over frames.
        direction: of `DIRECTIONS`; empty if it stands still.
        speed: shorter sides of the frame per second.
        seen: fraction of the frames in which it is there.
    """

    colour: str
    shape: str
    fit: float
    direction: str
    speed: float
    seen: float

    @property
    def speed_name(self) -> str:
        """The nearest of `SPEEDS`; empty if it stands still."""
        return nearest_name(self.speed, SPEEDS) if self.direction else ""


def parse_clip(frames: Frames, *, fps: float) -> list[ParsedThing]:
    """Find the things of a clip, the largest first.

    Args:
        frames: of the clip.
        fps: frames per second.
    """
    unit = min(frames.shape[1:3])
    ground = ground_of(frames)
    found = [
        regions_of(frames[index : index + 1], ground, least=_LEAST_AREA * unit**2, contrast=_CONTRAST)
        for index in range(len(frames))
    ]
    tracks = [
        track
        for track in _linked(found, farthest=_FARTHEST * unit)
        if len(track) >= _LEAST_SEEN * len(frames)
    ]
    things = [(_area(track), _thing(track, frames, fps)) for track in tracks]
    return [thing for _, thing in sorted(things, key=lambda each: -each[0])]


_Track = dict[int, Region]
"""The regions of a thing, by frame."""


def _linked(found: list[list[Region]], *, farthest: float) -> list[_Track]:
    """Regions of frames that follow each other as things: each goes on nearby, in a like colour."""
    tracks: list[_Track] = []
    for index, regions in enumerate(found):
        free = list(tracks)
        for region in regions:
            near = [track for track in free if _apart(track, region, index) <= farthest]
            if near:
                track = min(near, key=lambda each: _apart(each, region, index))
                free = [each for each in free if each is not track]
            else:
                tracks.append(track := {})
            track[index] = region
    return tracks


def _apart(track: _Track, region: Region, index: int) -> float:
    """How far a region is from where a thing was last, per frame; a colour of its own is as far as can be."""
    last = max(track)
    if np.linalg.norm(track[last].colour - region.colour) > 2 * _CONTRAST:
        return float("inf")
    return hypot(region.x - track[last].x, region.y - track[last].y) / (index - last)


def _thing(track: _Track, frames: Frames, fps: float) -> ParsedThing:
    colour = np.median([region.colour for region in track.values()], axis=0)
    names = tuple(SHAPES)
    clear = [region for region in track.values() if region.whole] or list(track.values())
    scores = np.mean([shape_scores(region, names) for region in clear], axis=0)
    x, y = _velocity(track)
    speed = hypot(x, y) * fps / min(frames.shape[1:3])
    return ParsedThing(
        colour=_colour_name(colour),
        shape=names[int(scores.argmax())],
        fit=float(scores.max()),
        direction=_direction_name(x, y) if speed >= _LEAST_SPEED else "",
        speed=speed,
        seen=len(track) / len(frames),
    )


def _velocity(track: _Track) -> tuple[float, float]:
    """Pixels per frame, from the straight line through the places where a thing is seen whole."""
    whole = {index: region for index, region in track.items() if region.whole}
    chosen = whole if len(whole) > 2 else track
    if len(chosen) < 2:
        return 0.0, 0.0
    times = np.array(list(chosen), float)
    places = np.array([(region.x, region.y) for region in chosen.values()])
    slope, _ = np.polyfit(times, places, 1)
    return float(slope[0]), float(slope[1])


def _direction_name(x: float, y: float) -> str:
    angles = {name: atan2(way[1], way[0]) for name, way in DIRECTIONS.items()}
    own = atan2(y, x)
    return min(angles, key=lambda name: abs((own - angles[name] + pi) % (2 * pi) - pi))


def _colour_name(colour: Float[np.ndarray, " 3"]) -> str:
    return min(COLOURS, key=lambda name: float(np.linalg.norm(colour - np.array(COLOURS[name]))))


def _area(track: _Track) -> float:
    return float(np.mean([region.area for region in track.values()]))
