"""Video files to files of tokens: ``.tube`` as a stream, ``.npz`` and ``.parquet`` clip by clip."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext, suppress
from pathlib import Path
from typing import Unpack

import numpy as np
import torch

from tubelet.checkpoint import Checkpoint, read_discrete
from tubelet.codec.header import make_token_header
from tubelet.codec.memory import left_for_streams
from tubelet.codec.models import prior_header
from tubelet.codec.open_clip import read_ahead
from tubelet.codec.options import FileOptions, Options
from tubelet.codec.pipeline import Piece, frames_to_symbols
from tubelet.codec.sinks import TubeSink, filled
from tubelet.codec.symbols import TokenQuantizer, only, symbols_to_digits
from tubelet.codec.tokens.array import write_token_array
from tubelet.codec.tokens.begun import BegunTable
from tubelet.codec.tokens.clip import ClipFacts, TokenClip, check_caption
from tubelet.codec.tokens.kept import ClipName, KeptClips
from tubelet.codec.tokens.table import TokenTableWriter
from tubelet.codec.tokens.tally import Tally, TokenReport, entropy_bytes
from tubelet.errors import OptionError, TubeletError, VideoError
from tubelet.files import check_suffix, check_target
from tubelet.files.names import text_name
from tubelet.given import as_path
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.token_grid import TokenGrid
from tubelet.video.info import VideoInfo
from tubelet.video.ranges import AnyVideo, VideoRange, open_any, path_of, range_text
from tubelet.video.rate import constant_rate
from tubelet.video.read import Run

SUFFIXES = (".tube", ".npz", ".parquet")
"""The suffixes that a file of tokens can be written with."""


def tokenize_file(
    source: AnyVideo,
    target: Path | str,
    *,
    tokenizer: str | Path | Checkpoint[DiscreteTokenizer] | None = None,
    caption: str | None = None,
    **options: Unpack[FileOptions],
) -> TokenReport:
    """Turn a video, an image or an array of frames into a file of tokens.

    Args:
        source: any file that `tubelet.video` reads, or a `VideoRange` of one, which has no sound.
        target: the file to write; it appears when it is whole. ``.tube`` takes a clip of any length in
            bounded memory; ``.npz`` and ``.parquet`` hold all digits of the clip at once.
        tokenizer: a shipped tokenizer, a checkpoint's folder, or a checkpoint; the default one for none.
        caption: what is seen, in words, for ``.npz`` and ``.parquet``; ``.tube`` has no room for it.
        **options: see `FileOptions`; only ``.tube`` has room for audio.

    Raises:
        VideoError: the source cannot be read.
        CheckpointError: the tokenizer is unknown, damaged, or gives no tokens.
        OptionError: the suffix, `caption` or `memory` has no meaning; a token has more values than the file
            can hold; or there is no such device here.
        LatentError: the latent holds what no token stands for.
        OutputError: the target exists or cannot be written.
    """
    settings, target = Options(**options), as_path(target, "target")
    suffix = target.suffix.lower()
    check_suffix(target, SUFFIXES, "a file of tokens")
    if suffix == ".parquet":
        return tokenize_files([source], target, tokenizer=tokenizer, captions=[caption], **options)
    check_caption(caption)
    if suffix == ".tube" and caption is not None:
        raise OptionError(
            f"{target} has no room for a caption ({caption!r:.80}); .npz and .parquet have. Leave it out."
        )
    check_target(target, sources=[path_of(source)], force=settings.force)
    checkpoint = as_discrete(tokenizer, settings.device)
    tally = Tally(checkpoint.tokenizer.bases)
    if suffix == ".tube":
        return _stream(source, target, checkpoint, tally, settings)
    clip = _gather(source, checkpoint, tally, settings, name=name_of(source), caption=caption)
    size = write_token_array(target, clip.grid, clip.facts, force=settings.force)
    return tally.report(size, entropy_bytes=entropy_bytes(clip.grid))


def tokenize_files(
    sources: Sequence[AnyVideo],
    target: Path | str,
    *,
    tokenizer: str | Path | Checkpoint[DiscreteTokenizer] | None = None,
    names: Sequence[str] | None = None,
    captions: Sequence[str | None] | None = None,
    extend: bool = False,
    opened: Callable[[AnyVideo], AbstractContextManager[AnyVideo]] = nullcontext,
    on_skip: Callable[[Path, TubeletError], None] | None = None,
    on_keep: Callable[[Path], None] = lambda _: None,
    **options: Unpack[FileOptions],
) -> TokenReport:
    """Turn clips into one table of tokens, a row each; memory holds the digits of about a million tokens.

    Args:
        sources: any files that `tubelet.video` reads, or ranges of them.
        target: the ``.parquet`` file to write; it appears when it is whole.
        tokenizer: as `tokenize_file`.
        names: what each clip is called in the table; the names of the files for none.
        captions: what is seen in each clip, in words, or none; as many as clips.
        extend: whether clips that a table in `target` holds, or an interrupted one was to hold, of the same
            name, bytes and caption, are taken from there, instead of refusing to replace it. Interrupted, the
            clips so far are kept beside `target` (`begun_path`) for the next run.
        opened: gives the file of each clip when it is its turn, such as a copy of one that lies elsewhere.
        on_skip: called with each clip that gives no tokens, and why; the table is without it. For none, the
            first such clip ends the work, and there is no table.
        on_keep: called with each clip that is taken from a table that was there.
        **options: see `FileOptions`; a table has no room for audio, and `on_total` is called for each clip.

    Raises:
        TubeletError: as `tokenize_file`; OptionError if there is no source, or no package for tables;
            VideoError if all clips are skipped; OutputError if the table that is there holds other clips, is
            of another tokenizer, or appeared or changed meanwhile.
    """
    settings, target = Options(**options), as_path(target, "target")
    if not sources or target.suffix.lower() != ".parquet":
        raise OptionError(
            f"{len(sources)} clips go into {target}; one or more go into one .parquet. Give each a file."
        )
    said: Sequence[str | None] = [None] * len(sources) if captions is None else captions
    called = list(map(name_of, sources)) if names is None else names
    if not len(said) == len(called) == len(sources):
        raise OptionError(
            f"{len(said)} captions and {len(called)} names for {len(sources)} clips; give each one, or "
            "none at all."
        )
    check_target(target, sources=map(path_of, sources), force=settings.force or extend)
    checkpoint = as_discrete(tokenizer, settings.device)
    tally = Tally(checkpoint.tokenizer.bases)
    entropy = 0.0
    with ExitStack() as stack:
        there = target if extend and not settings.force else None
        before = stack.enter_context(KeptClips(there, checkpoint.name, checkpoint.sha256))
        before.check_all_wanted(set(called))
        begun = stack.enter_context(BegunTable(there, checkpoint.name, checkpoint.sha256))
        replaces, bases = settings.force or before.there, checkpoint.tokenizer.bases
        table = stack.enter_context(TokenTableWriter(target, bases=bases, force=replaces, begun=begun.path))
        stack.enter_context(begun.gone_on_with(table, set(called)))
        for source, name, caption in zip(sources, called, said, strict=True):
            try:
                check_caption(caption)
                with opened(source) as here:
                    clip = _taken(here, (before, begun), tally, name=name, caption=caption)
                    if clip is not None:
                        on_keep(path_of(source))
                    else:
                        clip = _gather(here, checkpoint, tally, settings, name=name, caption=caption)
            except TubeletError as error:
                before.check_unchanged()
                if on_skip is None:
                    raise
                on_skip(path_of(source), error)
                continue
            table.append(clip.grid, clip.facts)
            entropy += entropy_bytes(clip.grid)
        if not table.clips:
            raise VideoError(f"none of the {len(sources)} clips gives tokens, so there is no {target}.")
        before.check_unchanged()
    begun.remove()
    return tally.report(table.bytes_total, entropy_bytes=entropy)


def name_of(source: AnyVideo) -> str:
    """What a clip is called in files of tokens: the name of its file, and its range."""
    of_range = range_text(source.start, source.end) if isinstance(source, VideoRange) else ""
    return text_name(path_of(source).name) + of_range


def _taken(
    source: AnyVideo,
    tables: Sequence[KeptClips | BegunTable],
    tally: Tally,
    *,
    name: str,
    caption: str | None,
) -> TokenClip | None:
    """A clip of the tables that are there, counted; none if they do not hold it."""
    clip = None
    if any(map(len, tables)):
        with suppress(OSError):  # reading it says why
            wanted = ClipName(name, _digest(path_of(source)), caption)
            clip = next((found for each in tables if (found := each.take(wanted)) is not None), None)
    if clip is not None:
        _count(tally, clip.grid)
    return clip


def _count(tally: Tally, grid: TokenGrid) -> None:
    tally.clips += 1
    tally.put(grid.digits, grid.frames, pixels=grid.height * grid.width)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def as_discrete(
    tokenizer: str | Path | Checkpoint[DiscreteTokenizer] | None, device: str
) -> Checkpoint[DiscreteTokenizer]:
    """Read a checkpoint unless it is one already.

    Raises:
        CheckpointError: it is unknown, damaged, or gives no tokens.
    """
    return tokenizer if isinstance(tokenizer, Checkpoint) else read_discrete(tokenizer, device=device)


def _stream(
    source: AnyVideo,
    target: Path,
    checkpoint: Checkpoint[DiscreteTokenizer],
    tally: Tally,
    settings: Options,
) -> TokenReport:
    """Into a ``.tube`` file, chunk by chunk."""
    with open_any(source) as video, closing(read_ahead(video, settings)) as runs:
        info, tokenizer = video.info, checkpoint.tokenizer
        audio = info.audio if settings.audio else None
        prior = prior_header(checkpoint.sha256) if settings.prior else None
        header = make_token_header(info, checkpoint, audio=audio, prior=prior)
        sink = TubeSink(target, header, info, tokenizer.backbone.grids, force=settings.force)
        with filled(sink) as put:
            for piece in _pieces(runs, tokenizer, info, settings):
                put(piece)
                digits = symbols_to_digits(only(piece.symbols), tokenizer.bases)
                tally.put(digits, len(piece.timestamps), pixels=info.height * info.width)
    tally.clips = 1
    report = sink.report()
    return tally.report(
        report.bytes_total, entropy_bytes=report.entropy_bytes, bytes_audio=report.bytes_audio
    )


def _gather(
    source: AnyVideo,
    checkpoint: Checkpoint[DiscreteTokenizer],
    tally: Tally,
    settings: Options,
    *,
    name: str,
    caption: str | None,
) -> TokenClip:
    """Tokenize a clip into memory; it is counted when all of it could be read."""
    with open_any(source) as video, closing(read_ahead(video, settings)) as runs:
        info, tokenizer = video.info, checkpoint.tokenizer
        digits, times = [], []
        for piece in _pieces(runs, tokenizer, info, settings):
            digits.append(symbols_to_digits(only(piece.symbols), tokenizer.bases))
            times.append(piece.timestamps)
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
    _count(tally, grid)
    facts = ClipFacts(
        source=name,
        tokenizer=checkpoint.name,
        tokenizer_sha256=checkpoint.sha256,
        source_sha256=_digest(info.path),
        fps=constant_rate(timestamps, info),
        caption=caption,
    )
    return TokenClip(grid, facts)


def _pieces(
    runs: Iterable[Run], tokenizer: DiscreteTokenizer, info: VideoInfo, settings: Options
) -> Iterator[Piece]:
    """The digits of a clip, as they come."""
    memory = left_for_streams(settings.memory, tokenizer.backbone, info.height, info.width, reads=True)
    encoder = tokenizer.backbone.parts_encoder(memory=memory)
    return frames_to_symbols(runs, encoder, TokenQuantizer(tokenizer=tokenizer))
