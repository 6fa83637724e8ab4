"""What a stream takes for one of the networks, and what a pixel costs."""

from collections.abc import Sequence
from math import prod

import torch

from tubelet.models.protocol import Footprint
from tubelet.nn.blocks import ResidualStack
from tubelet.nn.klt import KLTCascade
from tubelet.nn.stepping import STRIP_CELLS, STRIP_CELLS_OF_A_GPU


def footprint(
    transform: KLTCascade, stack: ResidualStack | None, *, channels: int, gated: bool = False
) -> Footprint:
    """What a stream takes with this network, the encoder or the decoder; an upper estimate.

    Args:
        transform: around the network.
        stack: the network; none in a linear model.
        channels: of the latent.
        gated: whether the last known step is kept, and its last frame blended with predictions.
    """
    deviation = transform.deviation
    item = deviation.dtype.itemsize
    pixels, coefficients = item * 3 * prod(transform.stride), item * len(deviation)
    most = STRIP_CELLS if deviation.device == torch.device("cpu") else STRIP_CELLS_OF_A_GPU
    if stack is None:
        return Footprint(remembered=0, whole=0, strip=3 * pixels, most=most)
    narrow, wide = stack.width * stack.dtype.itemsize, stack.width * item
    gate = 2 * pixels + 3 * coefficients if gated else 0
    return Footprint(
        remembered=stack.memory * narrow + (coefficients if gated else 0),
        # The residual stream; the latent, in parts and whole.
        whole=wide + 3 * item * channels,
        # One end of the network or its middle, whatever is larger: they follow on each other.
        strip=max(
            3 * pixels + 3 * max(coefficients, item * stack.leave.out_features) + gate,
            4 * wide + 10 * narrow,
        ),
        most=most,
    )


def flops_per_pixel(transform: KLTCascade, networks: Sequence[ResidualStack]) -> float:
    """Operations to encode and decode a pixel: two per multiplication of a weight, all channels kept."""
    weights, pixels, covered = 0.0, prod(transform.stride), 1
    for level in transform.klts:
        covered *= prod(level.patch)
        weights += 2 * level.basis.numel() * pixels / covered
    return 2 * (weights + sum(stack.multiplications for stack in networks)) / pixels
