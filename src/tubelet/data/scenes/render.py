"""Things over a ground as frames: anti-aliased, with places between pixels that are functions of time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, pi

import numpy as np
from jaxtyping import Float, Int

from tubelet.data.scenes.emoji import HALF_SIDE, emoji_picture, sampled
from tubelet.data.scenes.grounds import ground_levels
from tubelet.data.scenes.parts import Appearance, Camera, Ground, Thing, path_of
from tubelet.data.scenes.shapes import EXTENT, distance_of
from tubelet.data.scenes.words import COLOURS, DIRECTIONS
from tubelet.types import Frames

Times = Float[np.ndarray, " T"]
Masks = Float[np.ndarray, "T n H W"]
Places = Float[np.ndarray, "T h w"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """The size of frames, and which of their rows are drawn.

    Attributes:
        height: rows of pixels.
        width: columns.
        top: the first row that is drawn.
        bottom: the row after the last; as many as there are for none.
    """

    height: int
    width: int
    top: int = 0
    bottom: int | None = None

    @property
    def rows(self) -> int:
        """How many rows are drawn."""
        return (self.height if self.bottom is None else self.bottom) - self.top

    def bands(self, pixels: int) -> Iterator["Canvas"]:
        """The frame in parts of whole rows, of so many pixels at most if a row has no more."""
        rows = max(1, pixels // self.width)
        for top in range(0, self.height, rows):
            yield replace(self, top=top, bottom=min(top + rows, self.height))

    @property
    def unit(self) -> int:
        """Pixels on the shorter side."""
        return min(self.height, self.width)

    @property
    def sides(self) -> tuple[float, float]:
        """Width and height in shorter sides."""
        return self.width / self.unit, self.height / self.unit

    def places(self) -> tuple[Float[np.ndarray, " W"], Float[np.ndarray, " H"]]:
        """Where the middles of columns and of rows are, in shorter sides from the middle of the frame."""
        x, y = (np.arange(size) + 0.5 - size / 2 for size in (self.width, self.height))
        return x / self.unit, y[self.top : self.top + self.rows] / self.unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """How much of each pixel a thing covers, in the rectangle that it may reach, and with which colour.

    Attributes:
        row: of the rectangle's top, in the rows that are drawn.
        column: of its left.
        cover: 0 to 1.
        colour: red, green and blue, 0 to 255, of each pixel.
    """

    row: int
    column: int
    cover: Float[np.ndarray, "h w"]
    colour: Float[np.ndarray, "h w 3"]

    @property
    def place(self) -> tuple[slice, slice]:
        """The rectangle as indices into a frame."""
        height, width = self.cover.shape
        return slice(self.row, self.row + height), slice(self.column, self.column + width)


def render_frames(
    things: Sequence[Thing], ground: Ground, camera: Camera, times: Times, canvas: Canvas
) -> Frames:
    """Draw things over a ground, the later ones in front."""
    x, y = canvas.places()
    pan = [component * camera.speed for component in DIRECTIONS[camera.direction]]
    if camera.speed == 0:
        levels = ground_levels(ground, x[None], y[None], pixels=canvas.unit)
        frames = np.repeat(levels.astype(np.float32), len(times), axis=0)
    else:
        columns, rows = x + pan[0] * times[:, None], y + pan[1] * times[:, None]
        frames = ground_levels(ground, columns, rows, pixels=canvas.unit).astype(np.float32, copy=True)
    for thing in things:
        for frame, patch in zip(frames, cover_of(thing, camera, times, canvas), strict=True):
            behind = frame[patch.place]
            behind += patch.cover[..., None] * (patch.colour - behind)
    return np.rint(frames).astype(np.uint8)


def render_masks(things: Sequence[Thing], camera: Camera, times: Times, canvas: Canvas) -> Masks:
    """The share of each pixel at which each thing is seen: what is in front of it is taken off."""
    masks = np.zeros((len(times), len(things), canvas.rows, canvas.width), np.float32)
    for number, thing in enumerate(things):
        for mask, patch in zip(masks, cover_of(thing, camera, times, canvas), strict=True):
            rows, columns = patch.place
            mask[:number, rows, columns] *= 1 - patch.cover
            mask[number, rows, columns] = patch.cover
    return masks


def cover_of(thing: Thing, camera: Camera, times: Times, canvas: Canvas) -> Iterator[Patch]:
    """What a thing covers in each frame, also where another hides it."""
    motion, appearance = thing.motion, thing.appearance
    path = path_of(motion, camera, times, canvas.sides)
    radius = appearance.size * canvas.unit * motion.scale_at(times)
    middle_x = path.x * canvas.unit + canvas.width / 2
    middle_y = path.y * canvas.unit + canvas.height / 2
    turn = 2 * pi * motion.angle_at(times)
    # One square for all frames, as large as the thing ever is: frames together are quicker than each alone.
    reach = ceil(EXTENT * float(radius.max(initial=0.0))) + 1
    columns, rows = (np.floor(np.clip(middle, -1e9, 1e9)) for middle in (middle_x, middle_y))
    across, down = np.arange(-reach, reach + 1), _rows_around(rows, reach, canvas)
    x, y = (
        ((corner - middle)[:, None] + around + 0.5) / radius[:, None]
        for corner, middle, around in ((columns, middle_x, across), (rows, middle_y, down))
    )
    c, s = (part(turn).astype(np.float32)[:, None, None] for part in (np.cos, np.sin))
    x, y = x.astype(np.float32)[:, None, :], y.astype(np.float32)[:, :, None]
    covers, colours = _seen(thing.appearance, c * x + s * y, c * y - s * x, radius, canvas)
    for cover, colour, row, column in zip(covers, colours, rows.tolist(), columns.tolist(), strict=True):
        first = int(row) + int(down.min(initial=reach)) - canvas.top
        inside_rows, top = _inside(first, len(down), canvas.rows)
        inside_columns, left = _inside(int(column) - reach, len(across), canvas.width)
        place = (inside_rows, inside_columns)
        yield Patch(row=top, column=left, cover=cover[place], colour=colour[place])


def _rows_around(rows: Float[np.ndarray, " T"], reach: int, canvas: Canvas) -> Int[np.ndarray, " h"]:
    """The rows around a thing's middle that it reaches, in any frame, and that are drawn."""
    around = np.arange(-reach, reach + 1)
    if canvas.rows == canvas.height or not len(rows):
        return around
    first, last = canvas.top - int(rows.max()), canvas.top + canvas.rows - 1 - int(rows.min())
    return around[(around >= first) & (around <= last)]


def _seen(
    appearance: Appearance, x: Places, y: Places, radius: Times, canvas: Canvas
) -> tuple[Places, Float[np.ndarray, "T h w 3"]]:
    """How much of each pixel a thing covers, and its colour there.

    Args:
        appearance: of the thing.
        x: of the pixels, to its right, in its radii.
        y: below its middle.
        radius: in pixels, of each frame.
        canvas: what it is seen on.
    """
    if appearance.kind == "emoji":
        picture = emoji_picture(appearance.name, ceil(2 * HALF_SIDE * appearance.size * canvas.unit))
        found = sampled(picture, x, y)
        covers = found[..., 3]
        return covers, found[..., :3] / np.maximum(covers, 1e-6)[..., None]
    away = distance_of(appearance.kind, appearance.name)(x, y)
    covers = np.clip(0.5 - away * radius.astype(np.float32)[:, None, None], 0, 1)
    colour = np.array(COLOURS[appearance.colour], np.float32)
    return covers, np.broadcast_to(colour, (*covers.shape, 3))


def _inside(first: int, count: int, size: int) -> tuple[slice, int]:
    """Which of some pixels in a row are in the frame, and where the first of these is."""
    start = min(max(-first, 0), count)
    stop = max(min(size - first, count), start)
    return slice(start, stop), min(max(first, 0), size)
