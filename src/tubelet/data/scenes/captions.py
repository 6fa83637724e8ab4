"""What is seen in a scene, in plain English: one sentence of words that can be listed.

Slow, fast, small and large are always said; medium speed and size may be left out.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tubelet.data.scenes.emoji import EMOJI
from tubelet.data.scenes.glyphs import DIGITS, LETTERS
from tubelet.data.scenes.parts import Camera, Ground, Thing
from tubelet.data.scenes.words import COLOURS, GROUND_COLOURS, SHAPES, SIZES, SPEEDS

_SIZES: Mapping[str, Sequence[str]] = {
    "small": ("small", "little", "tiny"),
    "medium": ("", "medium-sized"),
    "large": ("large", "big"),
}
_SPEEDS: Mapping[str, Sequence[str]] = {
    "slow": ("slowly", "at a slow pace"),
    "medium": ("", "steadily", "at a medium pace"),
    "fast": ("quickly", "fast", "rapidly"),
}
_VERBS = ("moves", "travels", "goes", "glides")
_STAYS = ("stays in place", "stands still", "does not move")
_DIRECTIONS: Mapping[str, Sequence[str]] = {
    "right": ("to the right", "right", "rightwards"),
    "down-right": ("to the lower right", "down and to the right", "diagonally down and right"),
    "down": ("down", "downwards", "to the bottom"),
    "down-left": ("to the lower left", "down and to the left", "diagonally down and left"),
    "left": ("to the left", "left", "leftwards"),
    "up-left": ("to the upper left", "up and to the left", "diagonally up and left"),
    "up": ("up", "upwards", "to the top"),
    "up-right": ("to the upper right", "up and to the right", "diagonally up and right"),
}
_BOUNCES = ("bouncing off the edges", "bouncing off the borders", "and bounces off the edge")
_SPINS: Mapping[str, Sequence[str]] = {
    "clockwise": ("spinning clockwise", "turning clockwise", "rotating clockwise"),
    "counterclockwise": (
        "spinning counterclockwise",
        "turning counterclockwise",
        "rotating counterclockwise",
    ),
}
_GROWS: Mapping[str, Sequence[str]] = {
    "grows": ("growing", "getting larger"),
    "shrinks": ("shrinking", "getting smaller"),
}
_OVER = ("over", "on", "in front of")
_GROUNDS = ("background", "backdrop")
_PHOTOGRAPHS = ("a photo", "a photograph")
_PANS = ("while the camera pans", "as the camera moves")
_ARTICLES = ("a", "an", "one", "the")


class _Phrases:
    """Chooses among phrases that mean the same; a number says which.

    Args:
        phrasing: the same number chooses the same.
    """

    def __init__(self, phrasing: int) -> None:
        self._generator = np.random.default_rng(phrasing)

    def one_of(self, phrases: Sequence[str]) -> str:
        """One of some phrases."""
        return phrases[int(self._generator.integers(len(phrases)))]


def caption_of(
    things: Sequence[Thing], ground: Ground, camera: Camera, bounces: Sequence[bool], *, phrasing: int
) -> str:
    """Say in one sentence what things do.

    Args:
        things: what is seen.
        ground: what they are seen on.
        camera: how it pans.
        bounces: of each thing, whether it turns back while it is seen.
        phrasing: chooses among phrases that mean the same.
    """
    phrases = _Phrases(phrasing)
    said = ", and ".join(
        _thing_text(thing, phrases, bounces=turns) for thing, turns in zip(things, bounces, strict=True)
    )
    text = f"{said} {_ground_text(ground, phrases)}"
    if camera.speed > 0:
        text += f" {phrases.one_of(_PANS)} {phrases.one_of(_DIRECTIONS[camera.direction])}"
    return text


def words_of(caption: str) -> list[str]:
    """The words of a caption, in small letters and without punctuation."""
    return re.findall(r"[a-z0-9]+(?:-[a-z]+)*", caption.lower())


def vocabulary() -> tuple[str, ...]:
    """Every word of which captions are made, as `words_of` gives them, in alphabetical order."""
    tables = (_SIZES, _SPEEDS, _DIRECTIONS, _SPINS, _GROWS)
    phrases: list[Iterable[str]] = [each for table in tables for each in table.values()]
    phrases += [_VERBS, _STAYS, _BOUNCES, _OVER, _GROUNDS, _PHOTOGRAPHS, _PANS, _ARTICLES]
    phrases += [
        COLOURS,
        GROUND_COLOURS,
        SHAPES,
        LETTERS,
        DIGITS,
        EMOJI,
        ("letter digit and to gradient from",),
    ]
    return tuple(sorted({word for some in phrases for phrase in some for word in words_of(phrase)}))


def nearest_name(value: float, known: Mapping[str, float]) -> str:
    """The name of the number whose ratio to a value is nearest to 1."""
    return min(known, key=lambda name: max(value / known[name], known[name] / max(value, 1e-9)))


def spin_name(thing: Thing) -> str:
    """How a thing turns: clockwise, counterclockwise, or an empty text."""
    spin = thing.motion.spin
    return "" if abs(spin) < 0.01 else "clockwise" if spin > 0 else "counterclockwise"


def growth_name(thing: Thing) -> str:
    """Whether a thing grows or shrinks; an empty text if it does neither."""
    growth = thing.motion.growth
    return "" if abs(growth) < 0.01 else "grows" if growth > 0 else "shrinks"


def _thing_text(thing: Thing, phrases: _Phrases, *, bounces: bool) -> str:
    appearance = thing.appearance
    size = phrases.one_of(_SIZES[nearest_name(appearance.size, SIZES)])
    says_kind = appearance.kind in ("letter", "digit")
    name = f"{appearance.kind} {appearance.name}" if says_kind else appearance.name
    words = [size, appearance.colour, name]
    described = " ".join(filter(None, words))
    article = phrases.one_of(("one", "", ""))
    if not article:
        article = "an" if described[0] in "aeiou" else "a"
    told = [f"{article} {described} {_motion_text(thing, phrases)}"]
    if bounces:
        told.append(phrases.one_of(_BOUNCES))
    if spin := spin_name(thing):
        told.append(phrases.one_of(_SPINS[spin]))
    if growth := growth_name(thing):
        told.append(phrases.one_of(_GROWS[growth]))
    # A participle needs a comma before it, a further verb does not.
    return told[0] + "".join(f" {each}" if each.startswith("and ") else f", {each}" for each in told[1:])


def _motion_text(thing: Thing, phrases: _Phrases) -> str:
    motion = thing.motion
    if motion.speed == 0:
        return phrases.one_of(_STAYS)
    speed = phrases.one_of(_SPEEDS[nearest_name(motion.speed, SPEEDS)])
    words = (phrases.one_of(_VERBS), speed, phrases.one_of(_DIRECTIONS[motion.direction]))
    return " ".join(filter(None, words))


def _ground_text(ground: Ground, phrases: _Phrases) -> str:
    over = phrases.one_of(_OVER)
    if ground.kind == "photograph":
        return f"{over} {phrases.one_of(_PHOTOGRAPHS)}"
    if ground.kind == "gradient":
        return f"{over} a gradient from {ground.colours[0]} to {ground.colours[1]}"
    return f"{over} a {ground.colours[0]} {phrases.one_of(_GROUNDS)}"
