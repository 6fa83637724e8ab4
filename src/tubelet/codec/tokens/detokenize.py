"""Files of tokens to video files."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Unpack

import numpy as np

from tubelet.codec.decode import DecodeReport, decode_file
from tubelet.codec.matching import GivenTokenizer, MadeBy, matching_discrete
from tubelet.codec.memory import RUN_BYTES, left_for_streams
from tubelet.codec.options import FileOptions, Options
from tubelet.codec.room import check_room
from tubelet.codec.sinks import VideoSink, filled
from tubelet.codec.tokens.array import read_token_array
from tubelet.codec.tokens.clip import TokenClip
from tubelet.codec.tokens.table import TokenTable
from tubelet.codec.tokens.tokenize import SUFFIXES
from tubelet.errors import BitstreamError, OptionError
from tubelet.files import check_suffix, check_target
from tubelet.files.names import suffix_text
from tubelet.given import as_path
from tubelet.threads import ahead
from tubelet.tokenizers.discrete import StreamDetokenizer
from tubelet.tokenizers.token_grid import TokenGrid
from tubelet.video.info import USUAL_RATE
from tubelet.video.read import Run
from tubelet.video.write import SUFFIXES as VIDEO_SUFFIXES
from tubelet.video.write import Writer


def detokenize_file(
    source: Path | str,
    target: Path | str,
    *,
    clip: int | None = None,
    tokenizer: GivenTokenizer = None,
    **options: Unpack[FileOptions],
) -> DecodeReport:
    """Turn a file of tokens into a video file; the mirror of `tokenize_file`.

    Args:
        source: a ``.tube``, ``.npz`` or ``.parquet`` file. Arrays and tables know no timestamps: their
            frames are shown at their rate, or at 24 frames per second where it is unknown.
        target: the file to write; its suffix chooses the format (see `tubelet.video.write.Writer`).
        clip: which clip of a table, from 0; the only one for none.
        tokenizer: the folder or the checkpoint of the tokenizer that made the file, if it is not shipped.
        **options: see `FileOptions`; only ``.tube`` files hold audio.

    Raises:
        BitstreamError: the source is not a file of tokens, damaged, or newer than this program.
        CheckpointError: its tokenizer is not here, or another one has its name.
        OptionError: an option has no meaning for this file, or here.
        OutputError: the target exists or cannot be written.
    """
    settings, source, target = Options(**options), as_path(source, "source"), as_path(target, "target")
    suffix = source.suffix.lower()
    if suffix not in SUFFIXES:
        raise OptionError(
            f"{source} ends in {suffix_text(suffix)}; files of tokens are {' '.join(SUFFIXES)}."
        )
    if clip is not None and suffix != ".parquet":
        raise OptionError(f"clip {clip} is asked for; {suffix} holds one clip alone. Leave it out.")
    if suffix == ".tube":
        return decode_file(source, target, tokenizer=tokenizer, **options)
    check_suffix(target, VIDEO_SUFFIXES, "a video")
    check_target(target, sources=[source], force=settings.force)
    memory = settings.memory
    found = read_token_array(source, memory=memory) if suffix == ".npz" else _row(source, clip, memory)
    stream = _stream(source, found, tokenizer, memory=memory, device=settings.device)
    grid = found.grid
    time_base = 1 / (found.facts.fps or USUAL_RATE)
    writer = Writer(target, width=grid.width, height=grid.height, time_base=time_base, force=settings.force)
    settings.on_total(grid.frames)
    sink = VideoSink(writer, None, time_base=time_base)
    with filled(sink) as put, closing(ahead(_runs(stream, grid))) as runs:
        for run in runs:
            put(run)
            settings.on_frames(len(run.frames))
    return DecodeReport(first_frame=0, frames=grid.frames, complete=True)


def _row(source: Path, clip: int | None, memory: int) -> TokenClip:
    """A clip of a table."""
    with TokenTable(source, memory=memory) as table:
        number = 0 if clip is None and len(table) == 1 else clip
        if number is None or not 0 <= number < len(table):
            raise OptionError(
                f"{'no clip' if clip is None else f'clip {clip}'} is named; {source} holds {len(table)}, "
                "counted from 0. Choose one with --clip."
            )
        return table[number]


def _stream(
    source: Path, clip: TokenClip, given: GivenTokenizer, *, memory: int, device: str
) -> StreamDetokenizer:
    """A decoder for a clip, of the tokenizer that made it."""
    grid, facts = clip
    made_by = MadeBy(source, facts.tokenizer, facts.tokenizer_sha256, grid.lead_frame)
    tokenizer = matching_discrete(made_by, given, device)
    if (tokenizer.bases, tokenizer.stride) != (grid.bases, grid.stride):
        raise BitstreamError(
            f"{source} says bases {grid.bases} and stride {grid.stride}, and its tokenizer has "
            f"{tokenizer.bases} and {tokenizer.stride}. It was changed: make it again."
        )
    size = f"{grid.width}x{grid.height}"
    check_room(
        f"{source}: a step of {grid.stride.t} frames of {size}",
        3 * grid.height * grid.width * grid.stride.t,
        memory,
    )
    return tokenizer.stream_decoder(
        height=grid.height,
        width=grid.width,
        frames=grid.frames,
        memory=left_for_streams(memory, tokenizer.backbone, grid.height, grid.width, writes=True),
    )


def _runs(stream: StreamDetokenizer, grid: TokenGrid) -> Iterator[Run]:
    """Decode a clip a few steps at a time; timestamps count frames."""
    step_bytes = 3 * grid.height * grid.width * grid.stride.t
    done = 0
    for digits in grid.digits.split(max(1, RUN_BYTES // step_bytes), dim=2):
        frames = stream.push_frames(digits)
        yield Run(frames=frames, timestamps=np.arange(done, done + len(frames)))
        done += len(frames)
