"""Tokenizers to export, and what is asked of them afterwards."""

import torch

from tubelet.checkpoint import Checkpoint
from tubelet.quantizers.fsq import FSQ
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer

NEAR = {"atol": 1e-4, "rtol": 1e-4}
"""How near float32 comes."""


def checkpoint_of(made):
    return Checkpoint(name=made.config.name, tokenizer=made.tokenizer, sha256="0" * 64)


def discrete_checkpoint(made):
    """The backbone with as many digits as channels, in two tokens, fitted to nothing in particular."""
    channels = made.tokenizer.channels
    quantizer = FSQ((8, 5, 6, 3) * (channels // 4), tokens=2)
    quantizer.gain.copy_(torch.linspace(0.5, 1.5, channels))
    return Checkpoint(name="digits", tokenizer=DiscreteTokenizer(made.tokenizer, quantizer), sha256="1" * 64)


def parts_checkpoint(model, name="parts"):
    """Of a model whose latent has several parts."""
    return Checkpoint(name=name, tokenizer=ContinuousTokenizer(model).eval(), sha256="4" * 64)


def near(found, expected):
    """Raise unless all parts are equal, in float32."""
    assert list(found) == list(expected)
    for part, latent in expected.items():
        torch.testing.assert_close(found[part], latent, **NEAR)


def clip(frames=10, height=44, width=60, clips=1):
    generator = torch.Generator().manual_seed(0)
    return torch.rand((clips, 3, frames, height, width), generator=generator) * 2 - 1


def same_tokens(found, expected):
    """Whether two grids are the same but for values at the edge of two digits."""
    different = (found.digits != expected.digits).float().mean()
    return found.bases == expected.bases and different < 1e-3
