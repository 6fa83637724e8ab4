"""Words that were meant, of those that are known; and a number with its noun."""

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
