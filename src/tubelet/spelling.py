"""What messages are made of: words that were meant, numbers with nouns, how other numbers become levels."""

from collections.abc import Iterable
from difflib import get_close_matches

_MOST = 8
"""Words of one beginning that are named."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question that names the known words that begin as a word does, else two that are spelt nearly so.

    Args:
        word: as it was given.
        known: words, of which one was meant.

    Returns:
        The question; empty if none is near.
    """
    names, low = list(known), word.lower()
    begun = [name for name in names if low and name.startswith(low)]
    near = begun[:_MOST] or get_close_matches(low, names, n=2, cutoff=0.65)
    return f"did you mean {' or '.join(near)}?" if near else ""


def counted(number: int, noun: str) -> str:
    """A number and its noun: ``1 frame``, ``2 frames``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def cure_of_levels(kind: str, size: int) -> str:
    """How other numbers become levels of 8 bits; a mere cast turns most into something else.

    Args:
        kind: of the numbers, as NumPy's `dtype.kind`.
        size: bytes of a number.
    """
    if kind == "f":
        return (
            "Of [0, 1] make (255 * a).round().astype('uint8'), of [-1, 1] (127.5 * (a + 1)).round()"
            ".astype('uint8')."
        )
    if kind == "b":
        return "Make (255 * a).astype('uint8')."
    if kind == "u":
        bits = 8 * size
        return f"Of levels of all {bits} bits make (a >> {bits - 8}).astype('uint8')."
    return "Levels of 0 to 255 become it with .astype('uint8')." if kind == "i" else ""
