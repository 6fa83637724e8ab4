"""What lies behind the things of a scene, at any place of a plane without end."""

from functools import lru_cache
from math import cos, pi, sin

import numpy as np
from einops import rearrange
from jaxtyping import Float

from tubelet.data.scenes.parts import Ground
from tubelet.data.scenes.words import GROUND_COLOURS
from tubelet.errors import OptionError

_GRADIENT_LENGTH = 1.6
"""From the one colour of a gradient to the other, in shorter sides of the frame; then back."""

_PHOTOGRAPH_SIDES = 1.5
"""Shorter sides of the frame on the shorter side of a photograph."""

Picture = Float[np.ndarray, "H W 3"]
Levels = Float[np.ndarray, "T H W 3"]


def ground_levels(
    ground: Ground, x: Float[np.ndarray, "T W"], y: Float[np.ndarray, "T H"], *, pixels: int
) -> Levels:
    """The colours at places of a ground, 0 to 255.

    Args:
        ground: what is seen.
        x: of the columns of each frame, in shorter sides of the frame.
        y: of the rows of each frame.
        pixels: on the shorter side of the frame, which decides how fine a photograph is.

    Raises:
        OptionError: it is a photograph, and scikit-image is not installed.
    """
    if ground.kind == "photograph":
        picture = _reduced(ground.photograph, pixels)
        return np.stack([_sampled(picture, *each) for each in zip(x + ground.x, y + ground.y, strict=True)])
    first, last = (np.array(GROUND_COLOURS[ground.colours[at]], np.float32) for at in (0, -1))
    if ground.kind == "plain":
        return np.broadcast_to(first, (len(x), y.shape[1], x.shape[1], 3))
    across, along = cos(2 * pi * ground.angle), sin(2 * pi * ground.angle)
    place = (across * (x + ground.x))[:, None, :] + (along * (y + ground.y))[:, :, None]
    phase = np.mod(place / _GRADIENT_LENGTH + 0.5, 2)
    share = np.where(phase <= 1, phase, 2 - phase).astype(np.float32)
    return first + share[..., None] * (last - first)


def check_photographs() -> None:
    """Raise unless photographs can be shown.

    Raises:
        OptionError: scikit-image is not installed.
    """
    try:
        import skimage  # noqa: F401, PLC0415  an extra, needed only for photographs
    except ImportError as error:
        raise OptionError(
            "photographs come with scikit-image, which is not installed; run "
            "`pip install 'tubelet[scenes]'`, or choose plain and gradient grounds."
        ) from error


@lru_cache(maxsize=8)
def _reduced(name: str, pixels: int) -> Picture:
    """A photograph made small by the mean of squares of pixels, so that frames show no moiré; 0 to 255."""
    check_photographs()
    from skimage import data  # noqa: PLC0415  an extra, needed only here

    picture = np.asarray(getattr(data, name)())[..., :3].astype(np.float32)
    by = max(1, round(min(picture.shape[:2]) / (_PHOTOGRAPH_SIDES * pixels)))
    height, width = (by * (side // by) for side in picture.shape[:2])
    squares = rearrange(picture[:height, :width], "(H a) (W b) c -> H a W b c", a=by, b=by)
    return squares.mean(axis=(1, 3))


def _sampled(
    picture: Picture, x: Float[np.ndarray, " w"], y: Float[np.ndarray, " h"]
) -> Float[np.ndarray, "h w 3"]:
    """A picture and its mirror images without end, between whole pixels by their straight line."""
    height, width, _ = picture.shape
    unit = min(height, width) / _PHOTOGRAPH_SIDES
    rows, columns = (
        _neighbours(y * unit + height / 2 - 0.5, height),
        _neighbours(x * unit + width / 2 - 0.5, width),
    )
    (top, bottom, down), (left, right, over) = rows, columns
    lines = picture[top] * (1 - down)[:, None, None] + picture[bottom] * down[:, None, None]
    return lines[:, left] * (1 - over)[None, :, None] + lines[:, right] * over[None, :, None]


def _neighbours(place: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two pixels around each place, mirrored at both ends, and how near it is to the second."""
    floor = np.floor(place)
    first, second = (_mirrored(floor.astype(np.int64) + step, size) for step in (0, 1))
    return first, second, (place - floor).astype(np.float32)


def _mirrored(index: np.ndarray, size: int) -> np.ndarray:
    phase = np.mod(index, 2 * size)
    return np.where(phase < size, phase, 2 * size - 1 - phase)
