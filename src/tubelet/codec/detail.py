"""How much an error counts by the channel that it is in: the less, the finer the detail.

Channels are ordered: the first hold what is coarse, the last what is fine. Squared errors hold both alike.
Eyes see fine detail less (Campbell and Robson 1968, doi:10.1113/jphysiol.1968.sp008574), and so do measures
after them: the finest of the five scales of MS-SSIM (Wang et al. 2003, doi:10.1109/ACSSC.2003.1292216) has
4 % of the weight. So wherever a budget decides, the squared error of channel c is multiplied by
((4 + c) / 12)^-0.35.
"""

import numpy as np
from jaxtyping import Float64

DETAIL = 0.35
"""The exponent; what others are worth is in decision 0076."""

_COARSE = 4.0
"""Channels that count about alike."""

_ONE = 8
"""The channel that counts as by squares alone, so that a price is worth about what it was."""


def detail_weights(channels: int, exponent: float = DETAIL) -> Float64[np.ndarray, " c"]:
    """How much the squared error of each of the first ordered channels counts.

    Args:
        channels: how many.
        exponent: how fast it falls; 0 is squares alone.
    """
    return ((_COARSE + np.arange(channels)) / (_COARSE + _ONE)) ** -exponent
