"""Latents whose positions differ in how many channels they have, stored without what they have not."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped, UInt
from torch import Tensor

from tubelet.data.shards.numbers import from_stored
from tubelet.errors import DatasetError

COUNTS = "counts.npy"
"""The array of a record that says how many channels each position of its latents has."""

_MOST_CHANNELS = 1 << 12

StoredCounts = UInt[np.ndarray, "1 t h w"]
"""How many leading channels each position has."""


def pack(latent: Shaped[np.ndarray, "c t h w"], counts: StoredCounts) -> Shaped[np.ndarray, " n"]:
    """The numbers that positions have, channel after channel; those beyond the counts are left out.

    Args:
        latent: all channels.
        counts: of its positions.
    """
    return latent[_stored(len(latent), counts)]


def unpack(
    numbers: np.ndarray, counts: np.ndarray, shape: Sequence[Any], where: str
) -> Shaped[np.ndarray, "c t h w"]:
    """Undo `pack`: zero where nothing was stored.

    Args:
        numbers: that were stored, in one row.
        counts: of the positions.
        shape: that the latent is said to have.
        where: is named in errors.

    Raises:
        DatasetError: they do not belong together.
    """
    fits = len(shape) == counts.ndim == 4 and counts.shape == (1, *shape[1:]) and counts.dtype.kind == "u"
    channels = shape[0] if shape and isinstance(shape[0], int) else 0
    if fits and numbers.ndim == 1 and 1 <= channels <= _MOST_CHANNELS:
        stored = _stored(channels, counts)
        if int(counts.max(initial=0)) <= channels and int(stored.sum()) == len(numbers):
            latent = np.zeros(stored.shape, numbers.dtype)
            latent[stored] = numbers
            return latent
    raise DatasetError(
        f"{where} holds {numbers.shape} numbers of a latent {tuple(shape)}, and {COUNTS} is {counts.dtype} "
        f"{counts.shape} with {int(counts.sum())} in all; there is one number for each. Encode it again."
    )


def latent_of(
    arrays: Mapping[str, np.ndarray], about: Mapping[str, Any], name: str, where: str
) -> Float32[Tensor, "c t h w"]:
    """A latent of a record, whether all of its channels are stored or only some of each position.

    Args:
        arrays: all of the record, by suffix.
        about: what is known of this one.
        name: its suffix.
        where: is named in errors.

    Raises:
        DatasetError: the arrays are not what is said of them.
    """
    array, named = arrays[name], f"{name} of {where}"
    if "packed" not in about:
        return from_stored(array, about, named)
    if COUNTS not in arrays:
        raise DatasetError(f"{where} lacks {COUNTS}, which {name} needs. Encode it again.")
    return from_stored(unpack(array, arrays[COUNTS], about.get("shape", ()), named), about, named)


def _stored(channels: int, counts: StoredCounts) -> Shaped[np.ndarray, "c t h w"]:
    """Which numbers are stored."""
    return np.arange(channels)[:, None, None, None] < counts
