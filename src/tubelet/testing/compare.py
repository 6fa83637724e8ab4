"""What a law asks of two results: the same bits, or the same numbers within float rounding."""

import torch
from torch import Tensor

from tubelet.testing.subject import ROUNDING
from tubelet.types import Latents


class LawBrokenError(AssertionError):
    """A tokenizer breaks a law; the message says which, and by how much."""


def check_equal(law: str, found: Tensor | Latents, expected: Tensor | Latents) -> None:
    """Raise `LawBrokenError` unless all bits are the same."""
    for name, one, other in _pairs(found, expected):
        if one.shape != other.shape or not torch.equal(one, other):
            raise LawBrokenError(f"law {law}{name}: not the same bits; {_difference(one, other)}")


def check_close(law: str, found: Tensor | Latents, expected: Tensor | Latents) -> None:
    """Raise `LawBrokenError` unless the difference is float rounding (`ROUNDING`)."""
    for name, one, other in _pairs(found, expected):
        allowed = ROUNDING[other.dtype]
        scale = max(1.0, float(other.abs().max())) if other.numel() else 1.0
        same = one.shape == other.shape
        if not same or (one.numel() and float((one - other).abs().max()) > allowed * scale):
            raise LawBrokenError(
                f"law {law}{name}: beyond rounding ({allowed} of {scale:.3g}); {_difference(one, other)}"
            )


def _pairs(found: Tensor | Latents, expected: Tensor | Latents) -> list[tuple[str, Tensor, Tensor]]:
    """What is compared, and how the law's name goes on."""
    if isinstance(found, Tensor) or isinstance(expected, Tensor):
        assert isinstance(found, Tensor) and isinstance(expected, Tensor)
        return [("", found, expected)]
    several = len(expected) > 1
    return [(f", part {name!r}" if several else "", found[name], expected[name]) for name in expected]


def _difference(found: Tensor, expected: Tensor) -> str:
    if found.shape != expected.shape:
        return f"shape {tuple(found.shape)} instead of {tuple(expected.shape)}"
    return f"largest difference {float((found - expected).abs().max()):.3g}"
