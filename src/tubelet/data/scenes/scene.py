"""A rendered scene: its description, and what can be known of it: frames, masks, a caption and the truth."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import combinations

import numpy as np

from tubelet.data.scenes.captions import caption_of, growth_name, nearest_name, spin_name
from tubelet.data.scenes.parts import Camera, Ground, Path, Thing, check_number, check_whole, path_of
from tubelet.data.scenes.render import Canvas, Masks, cover_of, render_frames, render_masks
from tubelet.data.scenes.truth import Place, ThingTruth, Truth
from tubelet.data.scenes.words import SIZES, SPEEDS
from tubelet.errors import OptionError
from tubelet.types import Frames

LARGEST_SIDE = 1 << 14
MOST_FRAMES = 1 << 24
MOST_THINGS = 64

_PIXELS_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Things that move over a ground. Any part can be replaced (`dataclasses.replace`), and all else follows.

    Attributes:
        height: rows of pixels.
        width: columns.
        count: frames.
        fps: frames per second.
        things: back to front.
        ground: behind all things.
        camera: how it pans.
        phrasing: chooses among captions that mean the same.

    Raises:
        OptionError: a number has no meaning.
    """

    height: int = 64
    width: int = 64
    count: int = 33
    fps: float = 24.0
    things: tuple[Thing, ...] = field(default_factory=lambda: (Thing(),))
    ground: Ground = field(default_factory=Ground)
    camera: Camera = field(default_factory=Camera)
    phrasing: int = 0

    def __post_init__(self) -> None:
        check_whole(self.height, 1, LARGEST_SIDE, "the height of a scene")
        check_whole(self.width, 1, LARGEST_SIDE, "the width of a scene")
        check_whole(self.count, 1, MOST_FRAMES, "the number of frames of a scene")
        check_number(self.fps, 0.01, 10_000, "the frame rate of a scene")
        check_whole(self.phrasing, 0, 2**63, "the phrasing of a caption")
        if not 1 <= len(self.things) <= MOST_THINGS:
            raise OptionError(f"a scene has {len(self.things)} things; it has 1 to {MOST_THINGS}.")

    @property
    def caption(self) -> str:
        """What is seen, in one sentence of plain English."""
        bounces = [bool(path.turned[-1]) for path in self._paths(self._times(0, None))]
        return caption_of(self.things, self.ground, self.camera, bounces, phrasing=self.phrasing)

    @property
    def held_out(self) -> bool:
        """Whether any thing is one of those combinations that are kept out of training; see `is_held_out`."""
        return any(map(is_held_out, self.things))

    @property
    def least_gap(self) -> float:
        """Least distance, in shorter sides of the frame, between the discs around any two things.

        Below 0 discs overlap in some frame, and the things in them may touch; infinite for one thing.
        """
        times = self._times(0, None)
        radii = [thing.appearance.size * thing.motion.scale_at(times) for thing in self.things]
        paths = self._paths(times)
        gaps = [
            float((np.hypot(a.x - b.x, a.y - b.y) - one - other).min())
            for (a, one), (b, other) in combinations(zip(paths, radii, strict=True), 2)
        ]
        return min(gaps, default=float("inf"))

    def frames(self, start: int = 0, stop: int | None = None) -> Frames:
        """The frames from `start` up to `stop`: the same, whichever part of the scene is asked for."""
        times = self._times(start, stop)
        frames = np.empty((len(times), self.height, self.width, 3), np.uint8)
        for run, canvas in self._pieces(len(times)):
            frames[run, canvas.top : canvas.bottom] = render_frames(
                self.things, self.ground, self.camera, times[run], canvas
            )
        return frames

    def masks(self, start: int = 0, stop: int | None = None) -> Masks:
        """The share, 0 to 1, of each pixel at which each thing is seen; what others hide is not."""
        return render_masks(self.things, self.camera, self._times(start, stop), self._canvas)

    def truth(self) -> Truth:
        """All that is to be known of the scene, in words and numbers."""
        times = self._times(0, None)
        shown = self._shown()
        return Truth(
            caption=self.caption,
            held_out=self.held_out,
            height=self.height,
            width=self.width,
            fps=self.fps,
            ground=self.ground.kind,
            ground_colours=self.ground.colours,
            pan=self.camera.direction if self.camera.speed else "",
            things=tuple(
                self._thing_truth(thing, path, times, seen)
                for thing, path, seen in zip(self.things, self._paths(times), shown.T, strict=True)
            ),
        )

    @property
    def _canvas(self) -> Canvas:
        return Canvas(height=self.height, width=self.width)

    def _times(self, start: int, stop: int | None) -> np.ndarray:
        if not 0 <= start <= self.count or not start <= (self.count if stop is None else stop) <= self.count:
            raise OptionError(f"frames {start} to {stop} were asked for; the scene has 0 to {self.count}.")
        return np.arange(start, self.count if stop is None else stop) / self.fps

    def _paths(self, times: np.ndarray) -> list[Path]:
        return [path_of(thing.motion, self.camera, times, self._canvas.sides) for thing in self.things]

    def _shown(self) -> np.ndarray:
        """For each frame and thing the share of its pixels in the frame that is seen; 0 if none is there."""
        times = self._times(0, None)
        seen, whole = (np.zeros((self.count, len(self.things)), np.float32) for _ in range(2))
        for run, canvas in self._pieces(self.count, layers=len(self.things)):
            seen[run] += render_masks(self.things, self.camera, times[run], canvas).sum(axis=(2, 3))
            for number, thing in enumerate(self.things):
                patches = cover_of(thing, self.camera, times[run], canvas)
                whole[run, number] += [patch.cover.sum() for patch in patches]
        return seen / np.maximum(whole, 1e-9)

    def _pieces(self, count: int, *, layers: int = 1) -> Iterator[tuple[slice, Canvas]]:
        """What is drawn at a time, so that it takes little memory: several frames, or some rows of one."""
        pixels = _PIXELS_AT_ONCE // layers
        run = max(1, pixels // (self.height * self.width))
        for at in range(0, count, run):
            for canvas in self._canvas.bands(pixels // run):
                yield slice(at, min(at + run, count)), canvas

    def _thing_truth(self, thing: Thing, path: Path, times: np.ndarray, shown: np.ndarray) -> ThingTruth:
        appearance, motion, canvas = thing.appearance, thing.motion, self._canvas
        numbers = (
            path.x * canvas.unit + canvas.width / 2,
            path.y * canvas.unit + canvas.height / 2,
            appearance.size * canvas.unit * motion.scale_at(times),
            motion.angle_at(times),
            shown,
        )
        return ThingTruth(
            kind=appearance.kind,
            name=appearance.name,
            colour=appearance.colour,
            size=nearest_name(appearance.size, SIZES),
            direction=motion.direction if motion.speed else "",
            speed=nearest_name(motion.speed, SPEEDS) if motion.speed else "",
            bounces=bool(path.turned[-1]),
            spin=spin_name(thing),
            growth=growth_name(thing),
            held_out=is_held_out(thing),
            trajectory=tuple(
                Place(*(round(float(number), 4) for number in each)) for each in zip(*numbers, strict=True)
            ),
        )


def is_held_out(thing: Thing) -> bool:
    """Whether what a thing is, its colour and its direction are a combination that is kept out of training.

    One in ten is, by a hash, so that it is the same ones everywhere and for ever. Things that stay in place
    have no direction; whether they stay stands for it.
    """
    direction = thing.motion.direction if thing.motion.speed else "stays"
    combination = f"{thing.appearance.colour} {thing.appearance.name} {direction}"
    return int.from_bytes(sha256(combination.encode()).digest()[:8], "big") % 10 == 0
