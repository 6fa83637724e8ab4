"""What a system makes of a clip before it decodes it: a latent, tokens, or counts of stored channels."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float16, Integer
from torch import Tensor

from tubelet.errors import TokenError
from tubelet.metrics.latents import LatentStatistics
from tubelet.metrics.usage import DigitUsage
from tubelet.quantizers.digits import Bases, Digits, digits_to_tokens
from tubelet.types import Counts, Frames, Latent

SHOWN_CHANNELS = 16
"""The first channels of a latent, which are the most important ones of ours, and enough to look at."""

Kind = Literal["latents", "tokens", "counts"]
"""What a representation is of, as the results call it."""

Shown = Float16[np.ndarray, "c h w"] | Integer[np.ndarray, "k h w"]
"""One latent step: channels of the latent, tokens, or the count of channels, of every position."""


@runtime_checkable
class Statistics(Protocol):
    """Describes the latents, tokens or counts of several clips together."""

    def update(self, encoded: Any) -> None:  # noqa: ANN401  as its representation has it
        """Add a clip."""
        ...

    def to_json(self) -> dict[str, Any]:
        """What is known so far, under the name that docs/reference/results-format.md has for it."""
        ...


@runtime_checkable
class Representation(Protocol):
    """A latent, tokens or counts, and what can be done with each."""

    @property
    def kind(self) -> Kind:
        """What it is."""
        ...

    def encode(self, frames: Frames) -> Tensor:
        """What a clip becomes, on the CPU; axes ``b c t h w``."""
        ...

    def shown(self, encoded: Tensor, step: int) -> Shown:
        """One latent step of what `encode` gave, as a picture of it needs it."""
        ...

    def statistics(self) -> Statistics:
        """Begins a description of several clips together."""
        ...


class LatentRepresentation:
    """A continuous latent.

    Args:
        encode: a clip to its latent, on the CPU.
    """

    kind: Literal["latents"] = "latents"

    def __init__(self, encode: Callable[[Frames], Latent]) -> None:
        self._encode = encode

    def encode(self, frames: Frames) -> Latent:
        """The latent of a clip, on the CPU."""
        return self._encode(frames)

    def shown(self, encoded: Latent, step: int) -> Shown:
        """The first `SHOWN_CHANNELS` channels."""
        return encoded[0, :SHOWN_CHANNELS, step].half().numpy()

    def statistics(self) -> Statistics:
        """Moments, spectrum and distances of all channels."""
        return _LatentStatistics()


class TokenRepresentation:
    """Tokens, as their digits.

    Args:
        encode: a clip to its digits, on the CPU.
        bases: how many values each digit of a token has.
    """

    kind: Literal["tokens"] = "tokens"

    def __init__(self, encode: Callable[[Frames], Digits], bases: Bases) -> None:
        self._encode = encode
        self._bases = bases

    def encode(self, frames: Frames) -> Digits:
        """The digits of a clip, on the CPU."""
        return self._encode(frames)

    def shown(self, encoded: Digits, step: int) -> Shown:
        """Whole tokens; their digits where tokens have more than 2⁶³ values."""
        try:
            values = digits_to_tokens(encoded, self._bases)
        except TokenError:
            values = encoded
        return values[0, :, step].numpy()

    def statistics(self) -> Statistics:
        """How the codebook is used."""
        return _TokenStatistics(self._bases)


class CountsRepresentation:
    """How many channels a file stores of each position.

    Args:
        encode: a clip to its counts, on the CPU.
    """

    kind: Literal["counts"] = "counts"

    def __init__(self, encode: Callable[[Frames], Counts]) -> None:
        self._encode = encode

    def encode(self, frames: Frames) -> Counts:
        """The counts of a clip, on the CPU."""
        return self._encode(frames)

    def shown(self, encoded: Counts, step: int) -> Shown:
        """All positions."""
        return encoded[0, :, step].numpy()

    def statistics(self) -> Statistics:
        """How often each count occurs."""
        return _CountsStatistics()


class _CountsStatistics:
    """Shares of positions, by their count."""

    def __init__(self) -> None:
        self._found: Counter[int] = Counter()

    def update(self, encoded: Counts) -> None:
        counts, often = encoded.unique(return_counts=True)
        self._found.update(dict(zip(counts.tolist(), often.tolist(), strict=True)))

    def to_json(self) -> dict[str, Any]:
        total = self._found.total()
        mean = sum(count * often for count, often in self._found.items()) / total
        shares = {str(count): often / total for count, often in sorted(self._found.items())}
        return {"counts": {"positions": total, "mean": mean, "shares": shares}}


class _LatentStatistics:
    """`LatentStatistics` as the results have it."""

    def __init__(self) -> None:
        self._found = LatentStatistics()

    def update(self, encoded: Latent) -> None:
        self._found.update(encoded)

    def to_json(self) -> dict[str, Any]:
        figures = asdict(self._found.compute())
        distance = {str(lag): each for lag, each in figures["distance"].items()}
        return {"latent": figures | {"distance": distance}}


class _TokenStatistics:
    """`DigitUsage` as the results have it."""

    def __init__(self, bases: Bases) -> None:
        self._usage = DigitUsage(bases)

    def update(self, encoded: Digits) -> None:
        self._usage.update(encoded)

    def to_json(self) -> dict[str, Any]:
        bases = [list(token) for token in self._usage.bases]
        return {"tokens": asdict(self._usage.compute()) | {"bases": bases}}
