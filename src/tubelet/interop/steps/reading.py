"""Two functions of a step as a tokenizer of ours, continuous or discrete."""

from pathlib import Path
from typing import NamedTuple, final

import torch
from torch import nn

from tubelet.checkpoint import Checkpoint
from tubelet.errors import CheckpointError, OptionError
from tubelet.interop.steps.facts import StepFacts
from tubelet.interop.steps.model import RuntimeModel, Session
from tubelet.quantizers.digits import Bases, Digits, check_digits, digits_kind
from tubelet.quantizers.protocol import Quantized, Vectors
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.types import Latent


class Opened(NamedTuple):
    """The two functions of a folder, and what they say of their tokenizer."""

    folder: Path
    encoder: Session
    decoder: Session
    facts: StepFacts


def check_pair(folder: Path, encoder: StepFacts, decoder: StepFacts) -> None:
    """Raise unless both functions are of one tokenizer.

    Raises:
        CheckpointError: they are not.
    """
    if encoder != decoder:
        raise CheckpointError(
            f"{folder} has the encoder of {encoder.name} and a decoder of {decoder.name} that does not "
            "belong to it. Export it again."
        )


def continuous_of(opened: Opened) -> Checkpoint[ContinuousTokenizer]:
    """A continuous tokenizer that computes with these functions.

    Raises:
        CheckpointError: they are of a discrete one.
    """
    facts = opened.facts
    if facts.bases:
        raise CheckpointError(
            f"{opened.folder} is a discrete tokenizer; it is read by the function of the same name that ends "
            "in _discrete."
        )
    return Checkpoint(name=facts.name, tokenizer=_backbone(opened), sha256=facts.sha256)


def discrete_of(opened: Opened) -> Checkpoint[DiscreteTokenizer]:
    """A discrete tokenizer that computes with these functions; what its backbone gives are the digits.

    Raises:
        CheckpointError: they are of a continuous one.
    """
    facts = opened.facts
    if not facts.bases:
        raise CheckpointError(
            f"{opened.folder} is a continuous tokenizer; it is read by the function whose name does not end "
            "in _discrete."
        )
    tokenizer = DiscreteTokenizer(_backbone(opened), DigitsAlready(facts.bases)).eval()
    return Checkpoint(name=facts.name, tokenizer=tokenizer, sha256=facts.sha256)


@final
class DigitsAlready(nn.Module):
    """The quantiser of a latent that consists of digits: it rounds, and no more.

    Args:
        bases: for each token of a position, how many values each of its digits has.
    """

    def __init__(self, bases: Bases) -> None:
        super().__init__()
        self.bases = bases
        self.channels = sum(map(len, bases))

    def forward(self, latent: Latent) -> Quantized:
        """Raise: what was exported is not trained.

        Raises:
            OptionError: always.
        """
        raise OptionError("an exported tokenizer cannot be trained. Train the one that it was made from.")

    def quantize(self, latent: Latent) -> Digits:
        """The digits that a latent is."""
        return latent.round().to(digits_kind(self.bases))

    def dequantize(self, digits: Digits) -> Latent:
        """Digits as a latent; the mirror of `quantize`.

        Raises:
            ShapeError: there are not as many digits as bases.
            TokenError: a digit is outside its base.
        """
        check_digits(digits, self.bases)
        return digits.to(torch.float32)

    def fit(self, vectors: Vectors, *, generator: torch.Generator) -> None:
        """Nothing: all was fitted before."""

    def update(self, latent: Latent, digits: Digits, *, generator: torch.Generator) -> None:
        """Nothing moves."""


def _backbone(opened: Opened) -> ContinuousTokenizer:
    model = RuntimeModel(opened.facts, opened.encoder, opened.decoder)
    return ContinuousTokenizer(model, lead_frame=opened.facts.lead_frame).eval()
