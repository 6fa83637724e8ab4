"""Clips of many shapes as clips of one: the one under which most of them is used."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from math import prod
from typing import NamedTuple

from tubelet.errors import TubeletWarning
from tubelet.generate.captioned import CaptionedClip

Shape = tuple[int, ...]
"""Of a latent or of digits: channels, latent steps, rows, columns."""


class NamedClip(NamedTuple):
    """A clip, and what it is called in messages."""

    name: str
    clip: CaptionedClip


def most_used_shape(shapes: Iterable[Shape]) -> Shape | None:
    """The shape under which most numbers are used, where longer clips are cut and all others left out.

    Args:
        shapes: of the clips.

    Returns:
        It; none of no clips. Of several that are as good, the longest, and of these the first.
    """
    often = Counter(shapes)

    def used(shape: Shape) -> tuple[int, int]:
        fitting = sum(count for other, count in often.items() if _fits(other, shape))
        return fitting * prod(shape), shape[1]

    return max(often, key=used, default=None)


def of_one_shape(clips: Callable[[], Iterable[NamedClip]]) -> Iterator[CaptionedClip]:
    """Clips of the `most_used_shape`: longer ones are cut, shorter and other ones left out.

    Args:
        clips: gives all of them each time that it is called, which it is twice.

    Warns:
        TubeletWarning: how many are left out, and the first of them.
    """
    shape = most_used_shape(tuple(clip.encoded.shape) for _, clip in clips())
    left_out: list[str] = []
    for name, (encoded, caption) in clips():
        if shape is not None and _fits(tuple(encoded.shape), shape):
            yield CaptionedClip(encoded[:, : shape[1]], caption)
        else:
            left_out.append(f"{name}, of shape {_text(encoded.shape)}")
    if left_out and shape is not None:
        count = f"{len(left_out)} clips are" if left_out[1:] else "1 clip is"
        warnings.warn(
            f"{count} left out, because most are of shape {_text(shape)}: {left_out[0]}"
            f"{' and others' if left_out[1:] else ''}. Give clips of one size to train on all of them.",
            TubeletWarning,
            stacklevel=2,
        )


def _fits(shape: Shape, wanted: Shape) -> bool:
    """Whether a clip is of a shape, or longer."""
    return shape[1] >= wanted[1] and (shape[0], *shape[2:]) == (wanted[0], *wanted[2:])


def _text(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape))
