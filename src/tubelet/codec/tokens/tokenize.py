"""Video files to files of tokens: ``.tube`` as a stream, ``.npz`` and ``.parquet`` clip by clip."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64

from tubelet.bitstream.counts import Table
from tubelet.bitstream.writer import TubeWriter
from tubelet.checkpoint import Checkpoint, read_discrete
from tubelet.codec.encode import Piece, TubeSink, put_symbols
from tubelet.codec.header import make_token_header
from tubelet.codec.memory import left_for_streams
from tubelet.codec.symbols import TokenQuantizer, symbols_to_digits
from tubelet.codec.tokens.array import write_token_array
from tubelet.codec.tokens.clip import ClipFacts, TokenClip, check_caption
from tubelet.codec.tokens.table import TokenTableWriter
from tubelet.errors import OptionError, TubeletError, VideoError
from tubelet.files import check_suffix, check_target
from tubelet.files.names import text_name
from tubelet.metrics.usage import DigitUsage, Usage
from tubelet.quantizers.digits import Bases, Digits, codebook_sizes
from tubelet.tokenizers.continuous import DEFAULT_MEMORY
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.token_grid import TokenGrid
from tubelet.video.info import VideoInfo
from tubelet.video.probe import probe

SUFFIXES = (".tube", ".npz", ".parquet")
"""The suffixes that a file of tokens can be written with."""

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


def tokenize_file(
    source: Path | str,
    target: Path | str,
    *,
    tokenizer: str | Path | Checkpoint[DiscreteTokenizer] | None = None,
    caption: str | None = None,
    audio: bool = True,
    memory: int = DEFAULT_MEMORY,
    device: str = "cpu",
    force: bool = False,
    on_frames: Callable[[int], None] = lambda _: None,
) -> TokenReport:
    """Turn a video, an image or an array of frames into a file of tokens.

    Args:
        source: any file that `tubelet.video` reads.
        target: the file to write; it appears when it is whole. ``.tube`` takes a clip of any length in
            bounded memory; ``.npz`` and ``.parquet`` hold all digits of the clip at once.
        tokenizer: a shipped tokenizer, a checkpoint's folder, or a checkpoint; the default one for none.
        caption: what is seen, in words, for ``.npz`` and ``.parquet``; ``.tube`` has no room for it.
        audio: whether the source's audio packets are stored too, untouched; only ``.tube`` has room for them.
        memory: bytes that frames in flight, the networks' state and the work on them may take.
        device: where a tokenizer computes that is not a checkpoint already: ``cpu``, ``cuda`` or ``cuda:N``.
        force: whether an existing target is replaced.
        on_frames: called with the number of frames that each run brought.

    Raises:
        VideoError: the source cannot be read.
        CheckpointError: the tokenizer is unknown, damaged, or gives no tokens.
        OptionError: the suffix, `caption` or `memory` has no meaning; a token has more values than the file
            can hold; or there is no such device here.
        LatentError: the latent holds what no token stands for.
        OutputError: the target exists or cannot be written.
    """
    target = Path(target)
    suffix = target.suffix.lower()
    check_suffix(target, SUFFIXES, "a file of tokens")
    if suffix == ".parquet":
        return tokenize_files(
            [source],
            target,
            tokenizer=tokenizer,
            captions=[caption],
            memory=memory,
            device=device,
            force=force,
            on_frames=on_frames,
        )
    check_caption(caption)
    if suffix == ".tube" and caption is not None:
        raise OptionError(
            f"{target} has no room for a caption ({caption!r:.80}); .npz and .parquet have. Leave it out."
        )
    check_target(target, sources=[Path(source)], force=force)
    checkpoint = as_discrete(tokenizer, device)
    if suffix == ".tube":
        return _stream(
            source, target, checkpoint, audio=audio, memory=memory, force=force, on_frames=on_frames
        )
    tally = _Tally(checkpoint.tokenizer.bases)
    clip = _gather(source, checkpoint, tally, caption=caption, memory=memory, on_frames=on_frames)
    size = write_token_array(target, clip.grid, clip.facts, force=force)
    return tally.report(size, entropy_bytes=_entropy_bytes(clip.grid))


def tokenize_files(
    sources: Sequence[Path | str],
    target: Path | str,
    *,
    tokenizer: str | Path | Checkpoint[DiscreteTokenizer] | None = None,
    captions: Sequence[str | None] | None = None,
    memory: int = DEFAULT_MEMORY,
    device: str = "cpu",
    force: bool = False,
    on_frames: Callable[[int], None] = lambda _: None,
    on_skip: Callable[[Path, TubeletError], None] | None = None,
) -> TokenReport:
    """Turn clips into one table of tokens, a row each; memory holds the digits of about a million tokens.

    Args:
        sources: any files that `tubelet.video` reads.
        target: the ``.parquet`` file to write; it appears when it is whole.
        tokenizer: as `tokenize_file`.
        captions: what is seen in each clip, in words, or none; as many as clips.
        memory: as `tokenize_file`.
        device: as `tokenize_file`.
        force: as `tokenize_file`.
        on_frames: as `tokenize_file`.
        on_skip: called with each clip that gives no tokens, and why; the table is without it. For none, the
            first such clip ends the work, and there is no table.

    Raises:
        TubeletError: as `tokenize_file`; OptionError if there is no source, or no package for tables;
            VideoError if all clips are skipped.
    """
    target = Path(target)
    if not sources or target.suffix.lower() != ".parquet":
        raise OptionError(
            f"{len(sources)} clips go into {target}; one or more go into one .parquet. Give each a file."
        )
    said: Sequence[str | None] = [None] * len(sources) if captions is None else captions
    if len(said) != len(sources):
        raise OptionError(f"{len(said)} captions for {len(sources)} clips; give each one, or none at all.")
    for caption in said:
        check_caption(caption)
    check_target(target, sources=map(Path, sources), force=force)
    checkpoint = as_discrete(tokenizer, device)
    bases = checkpoint.tokenizer.bases
    tally = _Tally(bases)
    entropy = 0.0
    with TokenTableWriter(target, bases=bases, force=force) as table:
        for source, caption in zip(sources, said, strict=True):
            try:
                clip = _gather(source, checkpoint, tally, caption=caption, memory=memory, on_frames=on_frames)
            except TubeletError as error:
                if on_skip is None:
                    raise
                on_skip(Path(source), error)
                continue
            table.append(clip.grid, clip.facts)
            entropy += _entropy_bytes(clip.grid)
        if not table.clips:
            raise VideoError(f"none of the {len(sources)} clips gives tokens, so there is no {target}.")
    return tally.report(table.bytes_total, entropy_bytes=entropy)


def as_discrete(
    tokenizer: str | Path | Checkpoint[DiscreteTokenizer] | None, device: str
) -> Checkpoint[DiscreteTokenizer]:
    """Read a checkpoint unless it is one already.

    Raises:
        CheckpointError: it is unknown, damaged, or gives no tokens.
    """
    return tokenizer if isinstance(tokenizer, Checkpoint) else read_discrete(tokenizer, device=device)


def _stream(
    source: Path | str,
    target: Path,
    checkpoint: Checkpoint[DiscreteTokenizer],
    *,
    audio: bool,
    memory: int,
    force: bool,
    on_frames: Callable[[int], None],
) -> TokenReport:
    """Into a ``.tube`` file, chunk by chunk."""
    info = probe(source)
    tokenizer = checkpoint.tokenizer
    stream = tokenizer.backbone.stream_encoder(
        memory=left_for_streams(memory, tokenizer.backbone, info.height, info.width, reads=True)
    )
    header = make_token_header(info, checkpoint, audio=info.audio if audio else None)
    tally = _Tally(tokenizer.bases)
    with TubeWriter(target, header, force=force) as writer:
        sink = TubeSink(writer, info, tokenizer.grouping, header)

        def put(piece: Piece) -> None:
            digits = symbols_to_digits(piece.symbols, tokenizer.bases)
            tally.put(digits, len(piece.timestamps), info)
            sink.put(piece)

        quantizer = TokenQuantizer(tokenizer=tokenizer)
        sink.finish(put_symbols(put, info, stream, quantizer, on_frames, memory=memory))
    tally.clips = 1
    entropy = writer.entropy_bits / 8
    return tally.report(writer.bytes_total, entropy_bytes=entropy, bytes_audio=writer.bytes_audio)


def _gather(
    source: Path | str,
    checkpoint: Checkpoint[DiscreteTokenizer],
    tally: "_Tally",
    *,
    caption: str | None,
    memory: int,
    on_frames: Callable[[int], None],
) -> TokenClip:
    """Tokenize a clip into memory; it is counted when all of it could be read."""
    info = probe(source)
    tokenizer = checkpoint.tokenizer
    stream = tokenizer.backbone.stream_encoder(
        memory=left_for_streams(memory, tokenizer.backbone, info.height, info.width, reads=True)
    )
    digits: list[Digits] = []
    times: list[Int64[np.ndarray, " T"]] = []

    def put(piece: Piece) -> None:
        digits.append(symbols_to_digits(piece.symbols, tokenizer.bases))
        times.append(piece.timestamps)

    put_symbols(put, info, stream, TokenQuantizer(tokenizer=tokenizer), on_frames, memory=memory)
    tally.clips += 1
    for part, ticks in zip(digits, times, strict=True):
        tally.put(part, len(ticks), info)
    timestamps = np.concatenate(times)
    grid = TokenGrid(
        digits=torch.cat(digits, dim=2),
        bases=tokenizer.bases,
        stride=tokenizer.stride,
        lead_frame=tokenizer.lead_frame,
        frames=len(timestamps),
        height=info.height,
        width=info.width,
    )
    with info.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    facts = ClipFacts(
        source=text_name(info.path.name),
        tokenizer=checkpoint.name,
        tokenizer_sha256=checkpoint.sha256,
        source_sha256=digest,
        fps=_constant_rate(timestamps, info),
        caption=caption,
    )
    return TokenClip(grid, facts)


class _Tally:
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

    def put(self, digits: Digits, frames: int, info: VideoInfo) -> None:
        """Count digits, and the frames that were read meanwhile."""
        self._frames += frames
        self._pixels += frames * info.height * info.width
        self._steps += digits.shape[2]
        self._positions += digits[0, 0].numel()
        start = 0
        for token, usage in zip(self._bases, self._usages, strict=True):
            if usage is not None:
                usage.update(digits[:, start : start + len(token)])
            start += len(token)

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


def _entropy_bytes(grid: TokenGrid) -> float:
    """Zeroth-order entropy of each digit by itself, in bytes."""
    bits = 0.0
    for digit in grid.digits[0].numpy():
        values, counts = np.unique(digit, return_counts=True)
        bits += Table(symbols=values.astype(np.int32), counts=counts.astype(np.int64)).entropy_bits()
    return bits / 8


def _constant_rate(timestamps: Int64[np.ndarray, " T"], info: VideoInfo) -> Fraction | None:
    """Frames per second if all frames are near where that rate puts them, else none.

    Near is within a tick, and within a millisecond where ticks are shorter: many files went through Matroska,
    which knows no better.
    """
    if len(timestamps) < 2:
        return None
    elapsed = timestamps - timestamps[0]
    mean = (len(elapsed) - 1) / (int(elapsed[-1]) * info.time_base)
    near = max(1.0, float(Fraction(1, 1000) / info.time_base))
    # What the container claims, the first gap, or where both are too coarse the usual rates.
    usual = (Fraction(round(mean)), Fraction(1000 * round(mean * Fraction(1001, 1000)), 1001))
    for rate in (info.average_rate, 1 / (int(elapsed[1]) * info.time_base), *usual):
        if rate:
            expected = np.arange(len(elapsed)) / float(rate * info.time_base)
            if np.abs(elapsed - expected).max() < near - 1e-6:
                return rate
    return None
