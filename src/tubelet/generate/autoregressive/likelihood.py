"""The exact likelihood of clips, in bits."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from tubelet.generate.autoregressive.network import AutoregressiveTransformer
from tubelet.generate.prompts import Prompts
from tubelet.generate.tokens.digits import DigitGrid
from tubelet.generate.tokens.draws import digit_losses


@torch.no_grad()
def bits_of(
    network: AutoregressiveTransformer, digits: DigitGrid, words: Prompts, *, lead: bool = True
) -> Float[Tensor, " b"]:
    """Minus the binary logarithm of the probability of each clip, given its prompt.

    It is the sum over all digits of what the network says of each, given those before it; the probabilities
    of all clips of a size sum to one.

    Args:
        network: says the probabilities.
        digits: of whole windows.
        words: of each clip's prompt.
        lead: whether the first step is the first of a clip.
    """
    losses = digit_losses(network(digits, words, lead=lead), digits).double()
    return losses.sum(dim=(1, 2, 3, 4)) / math.log(2)
