"""The factors of rendered scenes by name: what may be drawn, in which colours, where to and how fast."""

from math import cos, pi, sin

Rgb = tuple[int, int, int]

COLOURS: dict[str, Rgb] = {
    "red": (214, 39, 40),
    "orange": (255, 135, 20),
    "yellow": (250, 220, 40),
    "green": (50, 165, 60),
    "cyan": (40, 205, 220),
    "blue": (45, 80, 215),
    "purple": (140, 60, 190),
    "pink": (250, 130, 185),
    "white": (248, 248, 248),
    "black": (12, 12, 12),
}
"""Colours of things, RGB."""

GROUND_COLOURS: dict[str, Rgb] = {
    "black": (10, 10, 10),
    "white": (245, 245, 245),
    "gray": (128, 128, 128),
    "brown": (110, 75, 45),
    "beige": (222, 205, 170),
    "dark blue": (20, 28, 80),
    "light blue": (170, 205, 240),
    "dark green": (18, 70, 40),
}
"""Colours of grounds, RGB."""

SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")

ROUND = frozenset({"circle", "ring"})
"""Shapes of which nobody sees that they turn."""

_EIGHTH = pi / 4

DIRECTIONS: dict[str, tuple[float, float]] = {
    name: (round(cos(_EIGHTH * turn), 12), round(sin(_EIGHTH * turn), 12))
    for turn, name in enumerate(
        ("right", "down-right", "down", "down-left", "left", "up-left", "up", "up-right")
    )
}
"""Unit vectors, x to the right and y downwards."""

SPEEDS = {"slow": 0.25, "medium": 0.5, "fast": 1.0}
"""Shorter sides of the frame per second."""

SIZES = {"small": 0.09, "medium": 0.13, "large": 0.19}
"""Radius of the disc around a thing, in shorter sides of the frame."""

DRAWN_KINDS = ("shape", "letter", "digit")
"""Kinds of things that are drawn alike on every machine."""

KINDS = (*DRAWN_KINDS, "emoji")
"""All kinds; for emoji the machine has a font, or has not."""

GROUND_KINDS = ("plain", "gradient", "photograph")
