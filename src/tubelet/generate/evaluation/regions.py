"""Where things are: what stands out from a smooth ground, in connected regions."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from tubelet.types import Frames

_BORDER = 2
"""Pixels from the edge of a frame that are taken for ground, those of things among them left out."""

_ROUNDS = 4
"""In which the ground is fitted to what looked like ground in the round before."""

_NEAR = 24.0
"""Levels from the ground at which a pixel still looks like it."""

_MOST_REGIONS = 12
"""Of a frame: the largest are looked at, however many there are."""

Image = Float[np.ndarray, "H W 3"]


class Region(NamedTuple):
    """A connected part of a frame that is not a ground.

    Attributes:
        cover: how much of each pixel of the frame it is, 0 to 1.
        colour: RGB, 0 to 255.
        x: its middle, in pixels; the middle of the first pixel is 0.5.
        y: the same.
        area: in pixels.
        whole: whether it keeps clear of the edges of the frame.
    """

    cover: Float[np.ndarray, "H W"]
    colour: Float[np.ndarray, " 3"]
    x: float
    y: float
    area: float
    whole: bool


def ground_of(frames: Frames) -> Image:
    """The ground of a clip: a colour that changes evenly over the frame, or not at all.

    It is fitted to the edges of all frames, where most of it is seen.
    """
    height, width = frames.shape[1:3]
    rows, columns = np.mgrid[0:height, 0:width]
    basis = np.stack([np.ones((height, width)), rows / height - 0.5, columns / width - 0.5], axis=-1)
    edge = np.ones((height, width), bool)
    edge[_BORDER : height - _BORDER, _BORDER : width - _BORDER] = False
    seen = frames[:, edge].astype(float)
    places = np.broadcast_to(basis[edge], (len(frames), *basis[edge].shape))
    fitted = np.broadcast_to(np.median(seen, axis=(0, 1)), seen.shape)
    answer = np.zeros((3, 3))
    answer[0] = fitted[0, 0]
    for round_ in range(_ROUNDS):
        away = np.linalg.norm(seen - fitted, axis=-1)
        near = away <= max(_NEAR, float(np.quantile(away, 0.5)) if round_ == 0 else _NEAR)
        if near.sum() < 3 * basis.shape[-1]:
            break
        answer, *_ = np.linalg.lstsq(places[near], seen[near], rcond=None)
        fitted = places @ answer
    return np.clip(basis @ answer, 0, 255)


def regions_of(frame: Frames, ground: Image, *, least: float, contrast: float) -> list[Region]:
    """The regions of a frame, the largest first.

    Args:
        frame: one frame.
        ground: what is behind the things.
        least: pixels of the smallest region.
        contrast: levels from the ground from which a pixel is none.
    """
    difference = frame[0].astype(float) - ground
    away = np.linalg.norm(difference, axis=-1)
    labels = label_regions(away > contrast)
    found = []
    numbers, sizes = np.unique(labels[labels > 0], return_counts=True)
    largest = np.argsort(-sizes, kind="stable")[:_MOST_REGIONS]
    for label in numbers[largest][sizes[largest] >= least]:
        inside = labels == label
        # The colour is that of the pixels that are not a mixture with the ground.
        core = inside & (away >= np.quantile(away[inside], 0.6))
        own = np.median(difference[core], axis=0)
        near = _grown(inside)
        cover = np.clip((difference @ own) / max(float(own @ own), 1e-9), 0, 1) * near
        found.append(_region(cover, np.median(frame[0][core].astype(float), axis=0)))
    return sorted(found, key=lambda region: -region.area)


def label_regions(mask: Bool[np.ndarray, "H W"]) -> Int[np.ndarray, "H W"]:
    """A number above 0 for every region of pixels that touch, also at corners; 0 elsewhere."""
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        spread = _largest_around(labels) * mask
        if np.array_equal(spread, labels):
            return labels
        labels = spread


def _region(cover: Float[np.ndarray, "H W"], colour: Float[np.ndarray, " 3"]) -> Region:
    rows, columns = np.mgrid[0 : cover.shape[0], 0 : cover.shape[1]] + 0.5
    area = float(cover.sum())
    edges = np.concatenate([cover[0], cover[-1], cover[:, 0], cover[:, -1]])
    return Region(
        cover=cover,
        colour=colour,
        x=float((cover * columns).sum() / area),
        y=float((cover * rows).sum() / area),
        area=area,
        whole=bool(edges.max() < 0.5),
    )


def _grown(mask: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """A region with the pixels that touch it, at whose soft edge a part of it still is."""
    return _largest_around(mask.astype(int)) > 0


def _largest_around(values: Int[np.ndarray, "H W"]) -> Int[np.ndarray, "H W"]:
    """The largest of each value and its eight neighbours."""
    padded = np.pad(values, 1)
    height, width = values.shape
    shifted = [padded[row : row + height, column : column + width] for row in range(3) for column in range(3)]
    return np.max(shifted, axis=0)
