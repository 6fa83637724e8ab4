"""Frames to symbols and back: the middle of the line, read in two directions."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from tubelet.codec.contrast import ContrastWeights, Weights
from tubelet.codec.symbols import ClipSymbols, SymbolQuantizer
from tubelet.tokenizers.streams.decoder import KnownLatents, StreamDecoder
from tubelet.tokenizers.streams.encoder import StreamEncoder
from tubelet.types import Latents
from tubelet.video.read import Run

NO_TIMES: Int64[np.ndarray, " T"] = np.empty(0, dtype=np.int64)


class Piece(NamedTuple):
    """Some steps on their way.

    Attributes:
        symbols: of each part; maybe of no step yet.
        timestamps: of the frames that came with them. On the way down the frames of a step come before it.
        end: when the last of these frames stops being shown; none if nothing says it.
    """

    symbols: ClipSymbols
    timestamps: Int64[np.ndarray, " T"]
    end: int | None


class Encoded(NamedTuple):
    """Some steps before they are quantised; the rest as `Piece`.

    Attributes:
        weights: how much errors of their positions count; none where all count alike.
    """

    latents: Latents
    timestamps: Int64[np.ndarray, " T"]
    end: int | None
    weights: Weights | None


def frames_to_latents(
    runs: Iterable[Run], encoder: StreamEncoder[Latents], weights: ContrastWeights | None = None
) -> Iterator[Encoded]:
    """Encode a clip, a piece for each run and one for what its end completes.

    Args:
        runs: the clip's frames.
        encoder: makes the latents.
        weights: says how much errors count; it has seen no frame yet.
    """
    end: int | None = None

    def completed(latents: Latents, times: Int64[np.ndarray, " T"]) -> Encoded:
        steps = len(next(iter(latents.values()))[0, 0])
        return Encoded(latents, times, end, None if weights is None else weights.take(steps))

    def encoded(run: Run) -> Encoded:
        nonlocal end
        end = run.end
        if weights is not None:
            weights.push_frames(run.frames)
        return completed(encoder.push_frames(run.frames), run.timestamps)

    # A `map` holds nothing of what it gave while it waits, and a loop's variable would.
    yield from map(encoded, runs)
    if weights is not None:
        weights.finish()
    yield completed(encoder.finish(), NO_TIMES)


def frames_to_symbols(
    runs: Iterable[Run], encoder: StreamEncoder[Latents], quantizer: SymbolQuantizer
) -> Iterator[Piece]:
    """Encode a clip, and quantise each piece."""
    return latents_to_symbols(frames_to_latents(runs, encoder), quantizer)


def latents_to_symbols(pieces: Iterable[Encoded], quantizer: SymbolQuantizer) -> Iterator[Piece]:
    """Quantise each piece."""

    def quantized(piece: Encoded) -> Piece:
        return Piece(quantizer.quantize(KnownLatents(piece.latents, {})), piece.timestamps, piece.end)

    return map(quantized, pieces)


def symbols_to_frames(
    pieces: Iterable[Piece], decoder: StreamDecoder[Latents], quantizer: SymbolQuantizer
) -> Iterator[Run]:
    """Undo `frames_to_symbols`: each frame with its time; what fills up the last group has none."""
    times = NO_TIMES
    for piece in pieces:
        times = np.concatenate([times, piece.timestamps])
        after, (latents, known) = piece.end, quantizer.dequantize(piece.symbols)
        # Symbols and frames are large: what was handed on is not held while the next are made.
        del piece
        frames = decoder.push_frames(latents, counts=known)[: len(times)]
        shown, times = times[: len(frames)], times[len(frames) :]
        end = int(times[0]) if len(times) else after
        del latents, known
        if len(shown):
            yield Run(frames=frames, timestamps=shown, end=end)
        del frames
