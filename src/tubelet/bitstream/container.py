"""The outermost layer: how a file begins, is cut into records, and ends (SPEC.md, sections 3 and 9)."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tubelet.bitstream import limits
from tubelet.bitstream.fields import sealed, unsealed
from tubelet.bitstream.header import Header
from tubelet.errors import BitstreamError

VERSION = 3
"""The newest format that this program reads and writes."""

MAGIC = b"\x93TUB\r\n\x1a\n"
"""First bytes of a file. A transfer as text changes the first byte or the line ends, and so is noticed."""

END = b"\x93TUBEND\n"
"""Last bytes of a file."""

CHUNK, AUDIO, INDEX = "V", "A", "I"
"""The kinds of records. A capital letter is needed to decode; records of small letters may be passed over."""

END_OF_LAST = "e"
"""The kind of the record that says when the last frame stops being shown."""

_PRELUDE = len(MAGIC) + 2 + 4


class UnknownKindError(BitstreamError):
    """The file is whole, but holds something that only a newer program can decode."""


@runtime_checkable
class Source(Protocol):
    """What is read from: a binary file that can seek."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to byte `offset`."""
        ...

    def read(self, size: int, /) -> bytes:
        """The next `size` bytes, or what there is."""
        ...


class Window:
    """A stretch of a file, read front to back; whatever a length claims, nothing outside is touched."""

    def __init__(self, source: Source, start: int, stop: int) -> None:
        self._source = source
        self._stop = stop
        self.at = start

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return self._stop - self.at

    def take(self, length: int, what: str) -> bytes:
        """The next `length` bytes.

        Raises:
            BitstreamError: they reach beyond the stretch, or the file ends before.
        """
        data = b""
        if length <= self.remaining:
            self._source.seek(self.at)
            data = self._source.read(length)
        if len(data) < length:
            raise BitstreamError(
                f"{what} needs {length} bytes and {max(self.remaining, 0)} are left: "
                "the file is damaged or cut short."
            )
        self.at += length
        return data

    def part(self, length: int) -> "Window":
        """A window on the next `length` bytes, which must be within this one; this one moves past them."""
        self.at += length
        return Window(self._source, self.at - length, self.at)


def header_to_bytes(header: Header) -> bytes:
    """Everything before the first record: magic, version, length, header, checksum."""
    data = header.to_bytes()
    return sealed(MAGIC + header.version.to_bytes(2, "little") + len(data).to_bytes(4, "little") + data)


def read_header(window: Window) -> Header:
    """Undo `header_to_bytes`.

    Raises:
        BitstreamError: this is not a ``.tube`` file, or it is newer than this program, or damaged.
    """
    if not window.remaining:
        raise BitstreamError("the file is empty; a .tube file is not. Write it again.")
    start = window.take(min(_PRELUDE, window.remaining), "the start of the file")
    _check_magic(start)
    if len(start) < _PRELUDE:
        raise BitstreamError("the file is cut short inside its header: nothing can be read. Copy it again.")
    version = int.from_bytes(start[8:10], "little")
    if version > VERSION:
        raise BitstreamError(f"format version {version}; this program reads up to {VERSION}. Upgrade it.")
    if version == 0:
        raise BitstreamError("format version 0 does not exist: the file is damaged. Copy it again.")
    length = int.from_bytes(start[10:14], "little")
    if length > limits.HEADER_BYTES:
        raise BitstreamError(f"the header claims {length} bytes; at most {limits.HEADER_BYTES} are allowed.")
    body = window.take(length + 4, "the header")
    return Header.from_bytes(unsealed(start + body, "the header")[_PRELUDE:], version=version)


def _check_magic(start: bytes) -> None:
    if start[:8] == MAGIC:
        return
    if start[:8] == MAGIC[: len(start)]:
        raise BitstreamError(
            "the file is cut short inside its first bytes: nothing can be read. Copy it again."
        )
    if start[1:4] == MAGIC[1:4]:
        raise BitstreamError(
            f"the file begins with {start[:8].hex(' ')} instead of {MAGIC.hex(' ')}: "
            "it was changed on the way, perhaps by a transfer as text. Copy it again as binary."
        )
    raise BitstreamError(
        f"this is not a .tube file: it begins with {start[:8].hex(' ')}, not {MAGIC.hex(' ')}."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordHead:
    """What stands before the payload of a record."""

    SIZE = 13
    """Bytes: kind, length, checksum."""

    kind: str
    """An ASCII letter."""
    length: int
    """Bytes of the payload."""

    def to_bytes(self) -> bytes:
        """The head as it is stored."""
        return sealed(self.kind.encode("ascii") + self.length.to_bytes(8, "little"))

    @classmethod
    def read(cls, window: Window) -> "RecordHead":
        """Undo `to_bytes`.

        Raises:
            UnknownKindError: only a newer program can know this kind.
            BitstreamError: the head is damaged, or its payload reaches beyond the window.
        """
        data = unsealed(window.take(cls.SIZE, "the head of a record"), "the head of a record")
        check_kind(data[0])
        length = int.from_bytes(data[1:], "little")
        if length > window.remaining:
            raise BitstreamError(
                f"a record claims {length} bytes and {window.remaining} are left: "
                "the file is damaged or cut short."
            )
        return cls(kind=chr(data[0]), length=length)


def check_kind(kind: int) -> None:
    """Check that a record of this kind may be read, or passed over.

    Raises:
        UnknownKindError: it is a capital letter that this version does not know.
        BitstreamError: it is not a letter.
    """
    if chr(kind) in (CHUNK, AUDIO, INDEX) or 0x61 <= kind <= 0x7A:
        return
    if 0x41 <= kind <= 0x5A:
        raise UnknownKindError(
            f"the file holds a record of kind {chr(kind)}, which this program does not know and cannot pass "
            "over. Upgrade it."
        )
    raise BitstreamError(f"a record is of kind {kind:#04x}, which is not a letter: the file is damaged.")


TRAILER_BYTES = 20
"""Length of the trailer: where the index begins, a checksum, and the last bytes of a file."""


def trailer_to_bytes(index_at: int) -> bytes:
    """The end of a file whose index record begins at byte `index_at`."""
    return sealed(index_at.to_bytes(8, "little")) + END


def bytes_to_trailer(data: bytes) -> int:
    """Undo `trailer_to_bytes`.

    Raises:
        BitstreamError: this is not a trailer.
    """
    if len(data) != TRAILER_BYTES or data[-8:] != END:
        raise BitstreamError(
            "the file does not end as a .tube file does: it is cut short or something was added."
        )
    return int.from_bytes(unsealed(data[:-8], "the trailer"), "little")
