"""Finds the records of a file: by the index at its end or, where that is lost, one by one from the front."""

from tubelet.bitstream import limits
from tubelet.bitstream.chunk_head import ChunkHead
from tubelet.bitstream.container import (
    CHUNK,
    INDEX,
    TRAILER_BYTES,
    RecordHead,
    Source,
    UnknownKindError,
    Window,
    bytes_to_trailer,
)
from tubelet.bitstream.header import Header
from tubelet.bitstream.index import RecordList, bytes_to_index
from tubelet.errors import BitstreamError


def read_index(source: Source, *, start: int, size: int) -> RecordList:
    """The records of a whole file of `size` bytes, whose first record begins at byte `start`.

    Raises:
        BitstreamError: trailer or index is missing or damaged, or does not account for every byte.
    """
    trailer = Window(source, max(start, size - TRAILER_BYTES), size)
    at = bytes_to_trailer(trailer.take(TRAILER_BYTES, "the trailer"))
    if not start <= at <= size - TRAILER_BYTES:
        raise BitstreamError(f"the trailer points to byte {at}, where no index can be: the file is damaged.")
    window = Window(source, at, size - TRAILER_BYTES)
    head = RecordHead.read(window)
    if head.kind != INDEX or head.length != window.remaining or head.length > limits.INDEX_BYTES:
        raise BitstreamError("the trailer points to something else than the index: the file is damaged.")
    records = bytes_to_index(window.take(head.length, "the index"), start=start, stop=at)
    if records.end != at:
        raise BitstreamError(
            f"the index accounts for bytes up to {records.end}, not {at}: the file is damaged."
        )
    return records


def scan_records(source: Source, header: Header, *, start: int, size: int) -> RecordList:
    """The records of a damaged file with this header, up to the last whole one.

    Raises:
        UnknownKindError: one of them needs a newer program.
    """
    window = Window(source, start, size)
    records = RecordList(start)
    try:
        while (head := RecordHead.read(window)).kind != INDEX:
            payload = window.part(head.length)
            if head.kind != CHUNK:
                records.append(head.kind, head.length)
                continue
            chunk = ChunkHead.read(payload, header)
            check_place(
                chunk,
                number=len(records.chunks),
                first_step=records.first_steps[-1],
                first_frame=records.first_frames[-1],
            )
            records.append(CHUNK, head.length, chunk.steps, len(chunk.timestamps))
    except UnknownKindError:
        raise
    except BitstreamError:  # the end of what is whole is expected here; the reader reports how far it got
        pass
    return records


def check_place(head: ChunkHead, *, number: int, first_step: int, first_frame: int) -> None:
    """Check that a chunk is the one that belongs where it was found.

    Raises:
        BitstreamError: it is another one.
    """
    if (head.number, head.first_step, head.first_frame) != (number, first_step, first_frame):
        raise BitstreamError(
            f"chunk {head.number} from step {head.first_step} and frame {head.first_frame} stands where "
            f"chunk {number} from step {first_step} and frame {first_frame} belongs: the file is damaged. "
            "Copy it again."
        )
