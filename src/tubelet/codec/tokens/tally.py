"""What went into a file of tokens, counted."""

import math
from dataclasses import dataclass

import numpy as np

from tubelet.bitstream.counts import Table
from tubelet.metrics.usage import DigitUsage, Usage
from tubelet.quantizers.digits import Bases, Digits, codebook_sizes, digits_by_token
from tubelet.tokenizers.token_grid import TokenGrid

COUNTED = 1 << 20
"""Values of the largest codebook whose usage is counted; that of a larger one could take any memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReport:
    """What a file of tokens holds, and what it takes.

    Attributes:
        clips: how many clips it holds.
        frames: frames of all clips.
        pixels: pixels of all frames.
        steps: latent steps of all clips.
        tokens: tokens of all positions of all steps.
        bases: for each token of a position, how many values each of its digits has.
        bytes_total: size of the file.
        bytes_audio: audio packets and their framing, a part of it.
        entropy_bytes: zeroth-order entropy of the digits, each digit by itself in each chunk of a ``.tube``
            file, or in each clip: what a coder that knows only how often a digit occurs needs at least.
        usage: of each token of a position, over all tokens of the file; none where it has more than
            `COUNTED` values.
    """

    clips: int
    frames: int
    pixels: int
    steps: int
    tokens: int
    bases: Bases
    bytes_total: int
    bytes_audio: int
    entropy_bytes: float
    usage: tuple[Usage | None, ...]

    @property
    def bits_per_pixel(self) -> float:
        """Bits of everything on disk but the audio, headers counted, per pixel of every frame."""
        return 8 * (self.bytes_total - self.bytes_audio) / self.pixels

    @property
    def nominal_bits_per_pixel(self) -> float:
        """Bits if every token took log2 of its codebook's size, per pixel of every frame."""
        position = math.fsum(map(math.log2, codebook_sizes(self.bases)))
        return self.tokens / len(self.bases) * position / self.pixels


class Tally:
    """Counts what goes into a file of tokens."""

    def __init__(self, bases: Bases) -> None:
        self._bases = bases
        sizes = codebook_sizes(bases)
        self._usages = [
            DigitUsage((token,)) if size <= COUNTED else None
            for token, size in zip(bases, sizes, strict=True)
        ]
        self._frames = self._pixels = self._steps = self._positions = 0
        self.clips = 0

    def put(self, digits: Digits, frames: int, *, pixels: int) -> None:
        """Count digits, and the frames that they are of, of so many pixels each."""
        self._frames += frames
        self._pixels += frames * pixels
        self._steps += digits.shape[2]
        self._positions += digits[0, 0].numel()
        for own, usage in zip(digits_by_token(digits, self._bases), self._usages, strict=True):
            if usage is not None:
                usage.update(own)

    def report(self, bytes_total: int, *, entropy_bytes: float, bytes_audio: int = 0) -> TokenReport:
        """Say what was counted."""
        return TokenReport(
            clips=self.clips,
            frames=self._frames,
            pixels=self._pixels,
            steps=self._steps,
            tokens=self._positions * len(self._bases),
            bases=self._bases,
            bytes_total=bytes_total,
            bytes_audio=bytes_audio,
            entropy_bytes=entropy_bytes,
            usage=tuple(None if usage is None else usage.compute().joint for usage in self._usages),
        )


def entropy_bytes(grid: TokenGrid) -> float:
    """Zeroth-order entropy of each digit by itself, in bytes."""
    bits = 0.0
    for digit in grid.digits[0].numpy():
        values, counts = np.unique(digit, return_counts=True)
        bits += Table(symbols=values.astype(np.int32), counts=counts.astype(np.int64)).entropy_bits()
    return bits / 8
