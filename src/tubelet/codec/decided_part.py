"""Latents of which a budget decides one part: that part step by step, and the symbols of the others."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from tubelet.bitstream.chunk import PartSymbols
from tubelet.bitstream.segment import encode_symbols
from tubelet.codec.allocate import Allocated, WeighedLatent
from tubelet.codec.chunking import joined_parts, part_of
from tubelet.codec.contrast import Weights
from tubelet.codec.pipeline import Encoded
from tubelet.codec.symbols import ClipSymbols, LatentQuantizer
from tubelet.errors import OptionError
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.streams.decoder import KnownLatents
from tubelet.types import Latent, Part


class PartsOfStep(NamedTuple):
    """One step of a clip.

    Attributes:
        latent: of the part that a budget decides.
        weights: how much errors of its positions count; none where all count alike.
        beside: the symbols of all other parts.
    """

    latent: Latent
    weights: Weights | None
    beside: ClipSymbols


def decided_part(parts: Sequence[Part]) -> Part:
    """The part that a budget decides: the only one beside parts that files keep exactly, on strides like its.

    Raises:
        OptionError: there is none, or there are several.
    """
    decided = [part for part in parts if not part.exact]
    if len(decided) != 1 or not decided[0].ordered or len({part.stride for part in parts}) > 1:
        names = ", ".join(part.name for part in parts)
        raise OptionError(
            "a budget is for a latent of one part, beside parts that files keep exactly; this tokenizer's "
            f"has several ({names}). Choose --step and --channels, or another tokenizer."
        )
    return decided[0]


class DecidedPart:
    """Takes the parts of latents apart, step by step, and puts chunks together.

    Args:
        tokenizer: whose latents.

    Raises:
        OptionError: a budget cannot decide these.
    """

    def __init__(self, tokenizer: ContinuousTokenizer) -> None:
        self.name = decided_part(tokenizer.parts).name
        self._names = [part.name for part in tokenizer.parts]
        exact = {part.name: part.channels for part in tokenizer.parts if part.exact}
        self._exact = LatentQuantizer.of(tokenizer, exact, step=1.0)

    def steps(self, piece: Encoded) -> list[PartsOfStep]:
        """Any number of steps, one by one."""
        latent, weights = piece.latents[self.name], piece.weights
        if not latent.shape[2]:
            return []
        exact = {name: part for name, part in piece.latents.items() if name != self.name}
        symbols = self._exact.quantize(KnownLatents(exact, {}))
        return [
            PartsOfStep(
                step,
                None if weights is None else weights[n : n + 1],
                {name: part_of(part, slice(n, n + 1)) for name, part in symbols.items()},
            )
            for n, step in enumerate(latent.split(1, dim=2))
        ]

    def parts(self, done: Allocated, steps: Sequence[PartsOfStep]) -> tuple[PartSymbols, ...]:
        """All parts of a chunk, in the order of the tokenizer's, with what was decided of these steps."""
        return tuple(
            PartSymbols(symbols=done.symbols, counts=done.counts)
            if name == self.name
            else joined_parts([step.beside[name] for step in steps])
            for name in self._names
        )


def joined(steps: Sequence[PartsOfStep]) -> WeighedLatent:
    """What a budget decides of some steps."""
    weights = [step.weights for step in steps if step.weights is not None]
    return WeighedLatent(
        torch.cat([step.latent for step in steps], dim=2), np.concatenate(weights) if weights else None
    )


def bits_beside_decided(steps: Sequence[PartsOfStep]) -> float:
    """About what the parts that are stored anyway take: by tables of their own."""
    names = steps[0].beside
    every = [joined_parts([step.beside[name] for step in steps]).symbols for name in names]
    return 8.0 * sum(len(encode_symbols(channel.ravel())) for part in every for channel in part)
