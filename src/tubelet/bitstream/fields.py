"""How numbers become bytes: variable-length integers, and checksums (SPEC.md, section 2)."""

import zlib

import numpy as np
from numpy.typing import NDArray

from tubelet.errors import BitstreamError

_ARRAY_BYTES = 5
"""Longest varint in an array: 35 bits, more than any limit of a table."""


def u32(value: int) -> bytes:
    """Four bytes, least significant first."""
    return value.to_bytes(4, "little")


def unsigned(value: int) -> bytes:
    """LEB128: seven bits a byte, least significant first, the top bit set on all but the last byte."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """Zigzag, then LEB128: 0, -1, 1, -2 … become 0, 1, 2, 3 and so on."""
    return unsigned(value << 1 if value >= 0 else (-value << 1) - 1)


def unsigned_array(values: NDArray[np.int64]) -> bytes:
    """The varints of many numbers in [0, 2^35), one after another; the same bytes as `unsigned` of each."""
    rests = values[:, None] >> (7 * np.arange(_ARRAY_BYTES))
    used = rests > 0
    used[:, 0] = True
    more = np.zeros_like(used)
    more[:, :-1] = used[:, 1:]
    return (rests & 0x7F | more.astype(np.int64) << 7).astype(np.uint8)[used].tobytes()


def sealed(data: bytes) -> bytes:
    """`data` followed by its CRC-32."""
    return data + u32(zlib.crc32(data))


def unsealed(data: bytes, what: str) -> bytes:
    """Undo `sealed`.

    Raises:
        BitstreamError: the checksum does not match, or there is no room for one.
    """
    body, crc = data[:-4], data[-4:]
    if len(data) < 4 or u32(zlib.crc32(body)) != crc:
        raise BitstreamError(f"{what} does not match its checksum: the file is damaged. Copy it again.")
    return body


class Cursor:
    """Reads numbers from bytes, front to back; whatever they claim, it never leaves those bytes."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._at

    def take(self, length: int) -> bytes:
        """The next `length` bytes.

        Raises:
            BitstreamError: fewer are left.
        """
        if length > self.remaining:
            raise self.broken(f"it claims {length} more bytes and {self.remaining} are left")
        self._at += length
        return self._data[self._at - length : self._at]

    def u32(self) -> int:
        """Four bytes, least significant first."""
        return int.from_bytes(self.take(4), "little")

    def unsigned(self, name: str, *, least: int = 0, most: int) -> int:
        """One varint in [least, most], at most 64 bits.

        Raises:
            BitstreamError: it is outside, not in its shortest form, or runs past the end.
        """
        data = self._data[self._at : self._at + 10]
        value = shift = 0
        for byte in data:
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        else:
            if len(data) == 10:
                raise self.broken(f"a number for {name} is longer than 10 bytes")
            raise self.broken(f"it ends within the number for {name}")
        self._at += shift // 7 + 1
        if byte == 0 and shift:
            raise self.broken(f"the number for {name} is not in its shortest form")
        if not least <= value <= most:
            raise self.broken(f"{name} is {value}, outside {least} to {most}")
        return value

    def signed(self, name: str, *, most: int) -> int:
        """One zigzag varint in [-most, most]; raises like `unsigned`."""
        value = self.unsigned(name, most=2 * most)
        return -(value + 1 >> 1) if value & 1 else value >> 1

    def unsigned_array(self, name: str, count: int) -> NDArray[np.int64]:
        """`count` varints of at most 35 bits; raises like `unsigned`."""
        if count > self.remaining:  # a varint has at least one byte
            raise self.broken(f"it claims {count} numbers for {name} and {self.remaining} bytes are left")
        if count == 0:
            return np.zeros(0, np.int64)
        length = min(self.remaining, count * _ARRAY_BYTES)
        data = np.frombuffer(self._data, np.uint8, count=length, offset=self._at)
        ends = np.flatnonzero(data < 0x80)[:count]
        starts = np.concatenate([[0], ends[:-1] + 1])
        lengths = ends - starts[: ends.size] + 1
        if ends.size < count or lengths.max() > _ARRAY_BYTES:
            raise self.broken(f"a number for {name} is longer than {_ARRAY_BYTES} bytes")
        if np.any((data[ends] == 0) & (lengths > 1)):
            raise self.broken(f"a number for {name} is not in its shortest form")
        data = data[: ends[-1] + 1]
        self._at += data.size
        place = np.arange(data.size) - np.repeat(starts, lengths)
        return np.add.reduceat((data & 0x7F).astype(np.int64) << 7 * place, starts)

    def finish(self) -> None:
        """Check that nothing is left.

        Raises:
            BitstreamError: there is.
        """
        if self.remaining:
            raise self.broken(f"{self.remaining} bytes are left over at its end")

    def broken(self, why: str) -> BitstreamError:
        """The error to raise when what was read cannot be right."""
        return BitstreamError(f"{self._what} is damaged: {why}. Copy the file again.")
