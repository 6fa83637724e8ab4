"""The tokenizer of a generator, continuous or discrete, read and used the same way."""

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from tubelet import checkpoint
from tubelet.checkpoint import Checkpoint
from tubelet.errors import OptionError
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.train.tokenizer.batches import to_video
from tubelet.types import Latent

KnownTokenizer = Checkpoint[ContinuousTokenizer] | Checkpoint[DiscreteTokenizer]


def read_tokenizer(name: str, *, device: str = "cpu") -> KnownTokenizer:
    """Read a tokenizer of either kind.

    Raises:
        CheckpointError: it is unknown or damaged.
        OptionError: its latent has several parts.
    """
    known: KnownTokenizer = (
        checkpoint.read_discrete(name, device=device)
        if checkpoint.architecture(name) == "discrete"
        else checkpoint.read_continuous(name, device=device)
    )
    if len(parts := continuous_of(known).parts) > 1:
        raise OptionError(
            f"{known.name} gives a latent of {len(parts)} parts, and generators make those of one. Choose "
            "another tokenizer."
        )
    return known


def continuous_of(known: KnownTokenizer) -> ContinuousTokenizer:
    """What makes video of latents: the tokenizer itself, or what is behind its digits."""
    tokenizer = known.tokenizer
    return tokenizer.backbone if isinstance(tokenizer, DiscreteTokenizer) else tokenizer


def encode_frames(known: KnownTokenizer, frames: UInt8[np.ndarray, "b T H W 3"]) -> Tensor:
    """What a tokenizer gives of clips: latents of a continuous one, digits of a discrete one."""
    tokenizer = known.tokenizer
    latent = continuous_of(known).encode(to_video(frames, tokenizer.device))
    return tokenizer.quantizer.quantize(latent) if isinstance(tokenizer, DiscreteTokenizer) else latent


def quantized(known: KnownTokenizer, latent: Latent) -> Latent:
    """A latent as its tokenizer hands it to its decoder: of a discrete one, what its digits stand for."""
    tokenizer = known.tokenizer
    if not isinstance(tokenizer, DiscreteTokenizer):
        return latent
    return tokenizer.quantizer.dequantize(tokenizer.quantizer.quantize(latent))


def decodable(known: KnownTokenizer, encoded: Tensor) -> Latent:
    """The latent that the tokenizer's decoder takes, of what `encode_frames` gave."""
    tokenizer = known.tokenizer
    return tokenizer.dequantize(encoded) if isinstance(tokenizer, DiscreteTokenizer) else encoded
