"""Emoji as pictures, drawn by a colour font of the machine: things of many colours."""

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from einops import reduce
from jaxtyping import Float32

from tubelet.errors import OptionError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

EMOJI = {
    "airplane": "\N{AIRPLANE}\N{VARIATION SELECTOR-16}",
    "apple": "\N{RED APPLE}",
    "balloon": "\N{BALLOON}",
    "banana": "\N{BANANA}",
    "basketball": "\N{BASKETBALL AND HOOP}",
    "bee": "\N{HONEYBEE}",
    "bell": "\N{BELL}",
    "bicycle": "\N{BICYCLE}",
    "book": "\N{GREEN BOOK}",
    "bus": "\N{BUS}",
    "butterfly": "\N{BUTTERFLY}",
    "cactus": "\N{CACTUS}",
    "car": "\N{AUTOMOBILE}",
    "carrot": "\N{CARROT}",
    "castle": "\N{EUROPEAN CASTLE}",
    "cat": "\N{CAT FACE}",
    "chicken": "\N{CHICKEN}",
    "clock": "\N{ALARM CLOCK}",
    "cloud": "\N{CLOUD}\N{VARIATION SELECTOR-16}",
    "crown": "\N{CROWN}",
    "dog": "\N{DOG FACE}",
    "fish": "\N{TROPICAL FISH}",
    "fox": "\N{FOX FACE}",
    "frog": "\N{FROG FACE}",
    "ghost": "\N{GHOST}",
    "gift": "\N{WRAPPED PRESENT}",
    "guitar": "\N{GUITAR}",
    "helicopter": "\N{HELICOPTER}",
    "house": "\N{HOUSE BUILDING}",
    "key": "\N{KEY}",
    "ladybug": "\N{LADY BEETLE}",
    "leaf": "\N{MAPLE LEAF}",
    "lemon": "\N{LEMON}",
    "lion": "\N{LION FACE}",
    "monkey": "\N{MONKEY FACE}",
    "moon": "\N{CRESCENT MOON}",
    "mushroom": "\N{MUSHROOM}",
    "octopus": "\N{OCTOPUS}",
    "owl": "\N{OWL}",
    "panda": "\N{PANDA FACE}",
    "penguin": "\N{PENGUIN}",
    "pig": "\N{PIG FACE}",
    "robot": "\N{ROBOT FACE}",
    "rocket": "\N{ROCKET}",
    "sailboat": "\N{SAILBOAT}",
    "shoe": "\N{ATHLETIC SHOE}",
    "snail": "\N{SNAIL}",
    "snowman": "\N{SNOWMAN WITHOUT SNOW}",
    "strawberry": "\N{STRAWBERRY}",
    "sun": "\N{SUN WITH FACE}",
    "sunflower": "\N{SUNFLOWER}",
    "taxi": "\N{TAXI}",
    "tiger": "\N{TIGER FACE}",
    "tomato": "\N{TOMATO}",
    "tractor": "\N{TRACTOR}",
    "train": "\N{STEAM LOCOMOTIVE}",
    "tree": "\N{DECIDUOUS TREE}",
    "trumpet": "\N{TRUMPET}",
    "truck": "\N{DELIVERY TRUCK}",
    "turtle": "\N{TURTLE}",
    "umbrella": "\N{UMBRELLA WITH RAIN DROPS}",
    "whale": "\N{SPOUTING WHALE}",
}
"""What captions call an emoji, and its characters."""

HALF_SIDE = 0.82
"""Half the side of the square that a picture fills, where the disc around the thing has radius 1: its
corners are within `shapes.EXTENT`."""

FONT_VARIABLE = "TUBELET_EMOJI_FONT"
"""Of the environment: the file of a colour font."""

_FONTS = (
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/google-noto-color-emoji-fonts/NotoColorEmoji.ttf",
    "/usr/share/fonts/google-noto-emoji/NotoColorEmoji.ttf",
    "/System/Library/Fonts/Apple Color Emoji.ttc",
    "C:/Windows/Fonts/seguiemj.ttf",
)
"""Where Debian and Ubuntu, Arch, Fedora, macOS and Windows have one."""

_SIZES = (109, 160, 136, 128, 96, 64)
"""Fonts of bitmaps have a size or a few: Noto 109, Apple 160. One of curves takes the first."""

_SIDE = 128
"""Rows and columns of a picture as it is kept."""

Picture = Float32[np.ndarray, "S S 4"]
"""Red, green and blue, 0 to 255, each times the cover, and the cover, 0 to 1."""


def check_emoji() -> None:
    """Raise unless emoji can be drawn.

    Raises:
        OptionError: Pillow is not installed, or no colour font is found that draws them.
    """
    _font(_font_file())


@lru_cache(maxsize=256)
def emoji_picture(name: str, pixels: int) -> Picture:
    """An emoji, made small by the mean of squares of pixels, so that frames show no moiré.

    Args:
        name: of `EMOJI`.
        pixels: on a side of the picture in a frame; what is given has at least as many, up to its own.

    Raises:
        OptionError: it cannot be drawn; see `check_emoji`.
    """
    picture = _drawn(name, _font_file())
    by = 1
    while by < _SIDE and _SIDE // (2 * by) >= pixels:
        by *= 2
    return reduce(picture, "(h i) (w j) c -> h w c", "mean", i=by, j=by)


def sampled(
    picture: Picture, x: Float32[np.ndarray, "T h w"], y: Float32[np.ndarray, "T h w"]
) -> Float32[np.ndarray, "T h w 4"]:
    """A picture at places, between its pixels by bilinear interpolation; nothing is beyond its border.

    Args:
        picture: as `emoji_picture` gives it.
        x: to the right, in radii of the disc around the thing.
        y: downwards.
    """
    side = len(picture)
    padded = np.pad(picture, ((1, 2), (1, 2), (0, 0)))
    columns, rows = (
        np.clip((place / HALF_SIDE + 1) * (side / 2) + 0.5, 0, side + 1, dtype=np.float32) for place in (x, y)
    )
    left, top = columns.astype(np.int32), rows.astype(np.int32)
    right_share, bottom_share = (
        (places - first.astype(np.float32))[..., None] for places, first in ((columns, left), (rows, top))
    )
    above = padded[top, left] * (1 - right_share) + padded[top, left + 1] * right_share
    below = padded[top + 1, left] * (1 - right_share) + padded[top + 1, left + 1] * right_share
    return above * (1 - bottom_share) + below * bottom_share


@lru_cache(maxsize=256)
def _drawn(name: str, file: str) -> Picture:
    """An emoji in the middle of a square, as large as fits."""
    from PIL import Image, ImageDraw  # noqa: PLC0415  an extra, needed only for emoji

    font = _font(file)
    image = Image.new("RGBA", (3 * _SIDE, 3 * _SIDE))
    middle = (image.width // 2, image.height // 2)
    ImageDraw.Draw(image).text(middle, EMOJI[name], font=font, embedded_color=True, anchor="mm")
    box = image.getbbox()
    if box is None:
        raise OptionError(f"the font {file} has no {name}; name another in {FONT_VARIABLE}.")
    side = max(box[2] - box[0], box[3] - box[1])
    square = Image.new("RGBA", (side, side))
    square.paste(image.crop(box), ((side - box[2] + box[0]) // 2, (side - box[3] + box[1]) // 2))
    # Colours times cover before they are resized: the colour of what is not covered must not bleed in.
    levels = np.asarray(square, np.float32)
    cover = levels[..., 3:] / 255
    layers = [
        Image.fromarray(layer)
        for layer in np.moveaxis(np.concatenate([levels[..., :3] * cover, cover], 2), 2, 0)
    ]
    return np.stack(
        [np.asarray(layer.resize((_SIDE, _SIDE), Image.Resampling.BOX)) for layer in layers], axis=2
    )


def _font_file() -> str:
    """The colour font that is named in the environment, or one where systems have theirs.

    Raises:
        OptionError: none is found.
    """
    named = os.environ.get(FONT_VARIABLE)
    found = next((file for file in ([named] if named else _FONTS) if Path(file).is_file()), None)
    if found is None:
        where = f"{FONT_VARIABLE} names {named}, which is no file" if named else "no such font was found"
        raise OptionError(
            f"emoji are drawn by a colour font, and {where}. Install one, such as the package "
            f"fonts-noto-color-emoji of Debian and Ubuntu, or name its file in {FONT_VARIABLE}."
        )
    return found


@lru_cache(maxsize=4)
def _font(file: str) -> "FreeTypeFont":
    """A font in a size that it has.

    Raises:
        OptionError: Pillow is not installed or cannot read the file.
    """
    try:
        from PIL import ImageFont  # noqa: PLC0415  an extra, needed only for emoji
    except ImportError as error:
        raise OptionError(
            "emoji are drawn by Pillow, which is not installed; run `pip install 'tubelet[scenes]'`, or "
            "choose other kinds of things."
        ) from error
    for size in _SIZES:
        try:
            return ImageFont.truetype(file, size)
        except OSError:
            continue
    raise OptionError(f"{file} is not a font that Pillow reads; name another in {FONT_VARIABLE}.")
