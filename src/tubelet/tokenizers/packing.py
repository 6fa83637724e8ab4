"""Tokens and ids in as few bytes as their number of values allows."""

import numpy as np
import torch
from jaxtyping import Int, Integer
from torch import Tensor

from tubelet.errors import OptionError, TokenError
from tubelet.quantizers.digits import check_tokens

Packed = Integer[np.ndarray, "*any"]
"""Whole numbers from 0 in one of numpy's unsigned types."""

_KINDS = (np.uint8, np.uint16, np.uint32, np.uint64)
_MOST = 1 << 63


def packed_kind(values: int) -> np.dtype:
    """The smallest unsigned type that holds 0 to `values` - 1.

    Raises:
        OptionError: there are none, or more than 2⁶³, which torch's integers do not number.
    """
    if not 1 <= values <= _MOST:
        raise OptionError(f"there are {values} values; 1 to 2^63 can be numbered. Keep digits instead.")
    return np.dtype(next(kind for kind in _KINDS if values - 1 <= np.iinfo(kind).max))


def pack(numbers: Int[Tensor, "*any"], *, values: int) -> Packed:
    """Tokens or ids in the smallest type that holds all that may occur; `unpack` is the exact inverse.

    The type is the same for all clips, because it follows from `values` and not from what occurs.

    Args:
        numbers: tokens of a codebook, or ids of a vocabulary.
        values: how many there are: the codebook's size, or `Vocabulary.rows`.

    Raises:
        OptionError: so many cannot be numbered.
        TokenError: a number is negative, or not below `values`.
    """
    kind = packed_kind(values)
    check_tokens(numbers, values)
    return numbers.cpu().numpy().astype(kind)


def unpack(packed: Packed) -> Int[Tensor, "*any"]:
    """Undo `pack`: ``torch.int64``.

    Raises:
        TokenError: a number is beyond 2⁶³ - 1.
    """
    if packed.dtype == np.uint64 and packed.size and int(packed.max()) >= _MOST:
        raise TokenError(
            f"a number is {int(packed.max())}; 64-bit integers hold 0 to 2^63 - 1. It is damaged."
        )
    return torch.from_numpy(packed.astype(np.int64))
