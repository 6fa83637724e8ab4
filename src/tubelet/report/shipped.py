"""What there is to know of the tokenizers that come with the package, without reading their weights."""

from math import prod
from typing import NamedTuple

from tubelet import checkpoint


class ShippedTokenizer(NamedTuple):
    """A shipped tokenizer; the names are those of the JSON of `tubelet models`."""

    name: str
    default: bool
    gives: str
    stride: list[int]
    lead_frame: bool
    channels: int
    codebook_sizes: list[int] | None
    numbers_in_per_number_out: float
    networks: bool
    million_weights: float
    mflop_per_pixel: float
    bytes: int


def describe(name: str) -> ShippedTokenizer:
    """A tokenizer as its configuration has it.

    Args:
        name: of a shipped tokenizer.

    Raises:
        CheckpointError: there is none of that name, or it is damaged.
    """
    backbone, sizes = checkpoint.read_empty(name)
    stride, ordered = list(backbone.stride), [part for part in backbone.parts if part.ordered]
    numbers = sum(part.channels * prod(stride) // prod(part.stride) for part in ordered)
    if sizes is not None:
        numbers = len(sizes)
    return ShippedTokenizer(
        name=name,
        default=name in {checkpoint.DEFAULT, checkpoint.DEFAULT_OF_FILES, checkpoint.DEFAULT_DISCRETE},
        gives="latents" if sizes is None else "tokens",
        stride=stride,
        lead_frame=backbone.lead_frame,
        channels=sum(part.channels for part in ordered),
        codebook_sizes=None if sizes is None else list(sizes),
        numbers_in_per_number_out=3 * prod(stride) / numbers,
        networks=bool(backbone.model.networks()),
        million_weights=sum(each.numel() for each in backbone.weights().values()) / 1e6,
        mflop_per_pixel=backbone.flops_per_pixel() / 1e6,
        bytes=sum(path.stat().st_size for path in checkpoint.find(name).iterdir()),
    )
