"""What a tokenizer costs: the bytes that a stream takes, and operations."""

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from tubelet.nn.blocks import ResidualStack
from tubelet.nn.stepping import STRIP_CELLS, STRIP_CELLS_OF_A_GPU

if TYPE_CHECKING:
    from tubelet.tokenizers.continuous import ContinuousTokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Bytes per latent position.

    Attributes:
        remembered: what stays from step to step, for every position of every tile and its halo.
        whole: tensors as large as the tile at work with its halo.
        strip: tensors as large as the strip of it at work.
        most: positions of a strip at most; more is of no use.
    """

    remembered: int
    whole: int
    strip: int
    most: int


def footprint(tokenizer: "ContinuousTokenizer", stack: ResidualStack | None) -> Footprint:
    """What a stream of a tokenizer takes with this network, its encoder or its decoder; an upper estimate."""
    item = tokenizer.dtype.itemsize
    pixels = item * 3 * prod(tokenizer.stride)
    coefficients = item * len(tokenizer.transform.deviation)
    most = STRIP_CELLS if tokenizer.device.type == "cpu" else STRIP_CELLS_OF_A_GPU
    if stack is None:
        return Footprint(remembered=0, whole=0, strip=3 * pixels, most=most)
    narrow = stack.width * stack.dtype.itemsize
    wide = stack.width * item
    return Footprint(
        remembered=remembered(stack),
        # The residual stream; the latent, in parts and whole.
        whole=wide + 3 * item * tokenizer.channels,
        # One end of the network or its middle, whatever is larger: they follow on each other.
        strip=max(3 * pixels + 3 * coefficients, 4 * wide + 10 * narrow),
        most=most,
    )


def remembered(stack: ResidualStack | None) -> int:
    """Bytes per position that a network remembers from step to step."""
    return 0 if stack is None else stack.memory * stack.width * stack.dtype.itemsize


def flops_per_pixel(tokenizer: "ContinuousTokenizer") -> float:
    """Operations to encode and decode a pixel: two per multiplication of a weight, all channels kept."""
    weights, pixels = 0.0, prod(tokenizer.stride)
    covered = 1
    for level in tokenizer.transform.klts:
        covered *= prod(level.patch)
        weights += 2 * level.basis.numel() * pixels / covered
    for stack in (tokenizer.encoder, tokenizer.decoder):
        if stack is not None:
            weights += sum(p.numel() for name, p in stack.named_parameters() if name.endswith("weight"))
    return 2 * weights / pixels
