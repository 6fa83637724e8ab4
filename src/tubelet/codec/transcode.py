"""A ``.tube`` file to one of the newest version, with the same symbols: nothing is decoded to pixels."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from tubelet.bitstream.coding import ModelFor
from tubelet.bitstream.container import VERSION
from tubelet.bitstream.header import Header, PriorHeader
from tubelet.bitstream.part_header import PartHeader
from tubelet.bitstream.reader import TubeReader
from tubelet.bitstream.writer import TubeWriter
from tubelet.codec import models
from tubelet.codec.header import check_channels
from tubelet.codec.room import check_room
from tubelet.files import check_suffix, check_target
from tubelet.given import as_path, check_called, checked_memory

PriorFor = Callable[[Header], PriorHeader | None]
"""Gives how a header names the prior of the tokenizer that it names; none if that has none."""

_USUAL_MEMORY = 1 << 30

_SYMBOL_BYTES = 4

_PLANES_AT_WORK = 8
"""What coding one channel takes, in its symbols."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodeReport:
    """What was made of a ``.tube`` file.

    Attributes:
        version_before: format version of the file that was read.
        version: of the one that was written.
        complete: whether the file that was read had its end.
        frames: frames of the clip.
        height: their rows.
        width: their columns.
        steps: steps of the tokenizer's model.
        channels: channels that are stored, of all parts together.
        bytes_before: size of the file that was read.
        bytes_total: size of the one that was written; the other sizes are its parts.
        bytes_symbols: range-coded symbols.
        bytes_tables: how often each symbol occurs; with a prior, its escapes.
        bytes_headers: header, heads of chunks, index.
        bytes_audio: audio packets and their framing.
    """

    version_before: int
    version: int
    complete: bool
    frames: int
    height: int
    width: int
    steps: int
    channels: int
    bytes_before: int
    bytes_total: int
    bytes_symbols: int
    bytes_tables: int
    bytes_headers: int
    bytes_audio: int


def transcode_file(
    source: Path | str,
    target: Path | str,
    *,
    channels: int | None = None,
    model_for: ModelFor = models.model_for,
    prior_for: PriorFor | None = models.prior_of_header,
    memory: int = _USUAL_MEMORY,
    force: bool = False,
    on_total: Callable[[int | None], object] = lambda _: None,
    on_frames: Callable[[int], object] = lambda _: None,
) -> TranscodeReport:
    """Write a ``.tube`` file of any version again, in the newest one; both decode to the same frames.

    Chunks hold the same steps, and each part of a chunk is coded the shortest way there is. Timestamps, the
    end of the last frame, audio packets and what the header says of the clip stay as they are. No tokenizer
    is needed.

    Args:
        source: the file to read.
        target: the file to write; it appears when it is whole.
        channels: keep the first so many channels of a latent of one part, and at most so many of a position;
            all by default.
        model_for: gives the models of the prior that a header names, to read and to write chunks that are
            coded with it; those that come with this program by default.
        prior_for: gives the prior that the new file may be coded with: by default the one that comes with
            this program for its tokenizer, if there is one; tables alone for none.
        memory: bytes that a chunk may take; one that claims more is refused when its turn comes.
        force: whether an existing file is replaced.
        on_total: called once with how many frames there are.
        on_frames: called with how many more frames are done, again and again.

    Raises:
        BitstreamError: the source is not a ``.tube`` file, damaged, or newer than this program.
        CheckpointError: it is coded with a prior that is not here.
        OptionError: there are not so many channels, or `channels` has no meaning for this file; a chunk takes
            more than `memory`; or `target` is the source, or does not end in ``.tube``.
        OutputError: the target exists or cannot be written.

    Warns:
        DamageWarning: the source is cut short; the target holds its whole chunks.
    """
    source, target, memory = as_path(source, "source"), as_path(target, "target"), checked_memory(memory)
    check_called(on_total=on_total, on_frames=on_frames)
    check_suffix(target, (".tube",), "a file of a latent or of tokens")
    check_target(target, sources=[source], force=force)
    with TubeReader(source, model_for) as reader:
        header = _new_header(reader.header, channels, prior_for)
        found = models.models_of(header, model_for)
        if not found:  # a prior that knows none of the parts
            header = replace(header, prior=None)
        writer = TubeWriter(target, header, models=found, force=force)
        on_total(reader.frames)
        with writer:
            for frames in _copy(reader, writer, channels=channels, memory=memory):
                on_frames(frames)
        return _report(source, reader, writer, header)


def kept_channels(header: Header, channels: int | None) -> Header:
    """A header of version 3 that says the same of the first channels of a latent; of all for none.

    Raises:
        OptionError: there are not so many, or the file holds tokens or several parts.
    """
    check_channels(channels, header)
    if channels is None:
        return replace(header, version=VERSION)
    return replace(header, version=VERSION, parts=(_first_channels(header.only_part, channels),))


def _first_channels(part: PartHeader, channels: int) -> PartHeader:
    """What the header says of the first channels of a part of a latent."""
    return replace(
        part,
        channels=channels,
        steps=part.steps[:channels],
        counts=tuple(sorted({min(count, channels) for count in part.counts})),
        centroids=part.centroids[:channels],
    )


def _new_header(header: Header, channels: int | None, prior_for: PriorFor | None) -> Header:
    """What the new file says of itself."""
    prior = None if prior_for is None else prior_for(header)
    return replace(kept_channels(header, channels), prior=prior)


def _copy(reader: TubeReader, writer: TubeWriter, *, channels: int | None, memory: int) -> Iterator[int]:
    """Write all records in the order in which they are read; give the frames of each chunk."""
    sounds = iter(()) if reader.header.audio is None else reader.audio_records()
    done = 0
    for before, packets in chain(sounds, [(len(reader.chunks), None)]):
        for number in range(done, before):
            check_chunk_room(reader, number, channels=channels, memory=memory)
            writer.write_chunk(reader.read_chunk(number, channels=channels))
            yield reader.chunks[number].frames
        done = before
        if packets is not None:
            writer.write_audio(packets)
    if reader.end is not None:
        writer.write_end(reader.end)


def check_chunk_room(
    reader: TubeReader, number: int, *, channels: int | None = None, memory: int = _USUAL_MEMORY
) -> None:
    """Raise if a chunk claims more than the memory that it may take.

    Args:
        reader: of the file.
        number: of the chunk.
        channels: that are kept; all for none.
        memory: bytes.

    Raises:
        OptionError: it claims more.
    """
    entry, header = reader.chunks[number], reader.header
    needed = 0
    for part in header.parts:
        positions = header.part_steps(part, entry.first_step, entry.steps) * part.rows * part.columns
        kept = part.channels if channels is None else channels
        # The symbols, and once more what of them is stored.
        needed += _SYMBOL_BYTES * (2 * kept + _PLANES_AT_WORK) * positions
    check_room(f"chunk {number}", needed, memory)


def _report(source: Path, reader: TubeReader, writer: TubeWriter, header: Header) -> TranscodeReport:
    return TranscodeReport(
        version_before=reader.header.version,
        version=header.version,
        complete=reader.complete,
        frames=writer.frames,
        height=header.height,
        width=header.width,
        steps=writer.steps,
        channels=sum(part.channels for part in header.parts),
        bytes_before=source.stat().st_size,
        bytes_total=writer.bytes_total,
        bytes_symbols=writer.bytes_payload,
        bytes_tables=writer.bytes_tables,
        bytes_headers=writer.bytes_header + writer.bytes_heads + writer.bytes_index,
        bytes_audio=writer.bytes_audio,
    )
