"""Damage to files, drawn at random: bits, stretches, lengths, ends, parts of other files, numbers in JSON."""

import random
import re
import struct
from collections.abc import Callable, Sequence

NUMBERS = (0, 1, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1)

TEXTS = (
    b"1e99999999", b"-1e400", b"NaN", b"-1", b"0", b"1.5", b"9" * 400, b"9" * 5000, b"null", b"true", b'""',
    b"[]", b"{}", b"[[[[" * 50, b'{"a":' * 50, b'"\\ud800"', b"65536", b"4294967296", b"1000000000", b'"x"',
    b"[1]",
)  # fmt: skip
"""What takes the place of a value in JSON."""

_VALUE = re.compile(rb'-?\d[\d.eE+-]*|"(?:[^"\\]|\\.)*"|true|false|null')


def flip(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    """A few bits."""
    for _bit in range(draw.choice((1, 1, 2, 8))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def overwrite(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    """A stretch with one byte, or with any."""
    start, length = draw.randrange(len(data)), draw.choice((1, 4, 16, 100))
    kinds = (bytes(length), b"\xff" * length, draw.randbytes(length))
    data[start : start + length] = draw.choice(kinds)[: len(data) - start]


def number(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    """Four or eight bytes with a number at some bound, as lengths are stored."""
    start, kind = draw.randrange(len(data)), draw.choice("IQ")
    value = draw.choice(NUMBERS) & (2**32 - 1 if kind == "I" else 2**64 - 1)
    packed = struct.pack(f"<{kind}", value)
    data[start : start + len(packed)] = packed[: len(data) - start]


def cut(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    """The end, or a stretch inside."""
    start = draw.randrange(len(data))
    del data[start : draw.choice((len(data), start + 1, start + draw.randrange(1, 200)))]


def double(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    """A stretch twice, at its place or elsewhere."""
    start = draw.randrange(len(data))
    stretch = data[start : start + draw.choice((1, 13, 64, 1000))]
    at = draw.choice((start, draw.randrange(len(data))))
    data[at:at] = stretch


def splice(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> None:
    """The end of another file behind the beginning of this one."""
    other = draw.choice(others)
    data[draw.randrange(len(data)) :] = other[draw.randrange(len(other)) :]


def value(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> None:
    """A value of JSON, if there is one, is another."""
    if found := list(_VALUE.finditer(data)):
        place = draw.choice(found)
        data[place.start() : place.end()] = draw.choice(TEXTS)


Way = Callable[[bytearray, random.Random, Sequence[bytes]], None]

BYTES: tuple[Way, ...] = (flip, overwrite, number, cut, double, splice)
JSON: tuple[Way, ...] = (value, value, value, *BYTES)


def mutated(
    whole: bytes, draw: random.Random, others: Sequence[bytes], ways: Sequence[Callable[..., None]]
) -> bytes:
    """A file, damaged in one to three ways."""
    data = bytearray(whole)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        if data:
            draw.choice(ways)(data, draw, others)
    return bytes(data)
