"""A second decoder of ``.tube`` files, written from ``SPEC.md`` alone: slow, obvious, no library.

It shares no line with tubelet, so that the two agree only if both do what the specification says.
Run it as ``python reference_decoder.py FILE.tube`` to print the size and digest of the symbols.
"""

import hashlib
import json
import sys
import zlib
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

MAGIC = bytes.fromhex("93 54 55 42 0D 0A 1A 0A")
END = bytes.fromhex("93 54 55 42 45 4E 44 0A")
MASK = 2**64 - 1


class Bytes:
    """The numbers of section 2, read front to back."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        assert self.at + size <= len(self.data), "cut short"
        self.at += size
        return self.data[self.at - size : self.at]

    def fixed(self, size):
        return int.from_bytes(self.take(size), "little")

    def uv(self):
        value, shift = 0, 0
        while True:
            byte = self.fixed(1)
            value += (byte % 128) << shift
            if byte < 128:
                assert byte or not shift, "not in its shortest form"
                return value
            shift += 7

    def sv(self):
        value = self.uv()
        return value // 2 if value % 2 == 0 else -(value + 1) // 2

    def check(self, since):
        """A CRC-32 of everything from byte `since` on."""
        expected = zlib.crc32(self.data[since : self.at])
        assert self.fixed(4) == expected, "checksum"

    def done(self):
        assert self.at == len(self.data), "left over"


def decode(data):
    """A whole file as its header, its chunks and its audio packets, as plain dictionaries and lists."""
    file = Bytes(data)
    assert file.take(8) == MAGIC
    version = file.fixed(2)
    assert version in (1, 2), "version"
    header = json.loads(file.take(file.fixed(4)))
    file.check(0)
    assert ("steps" in header, "bases" in header) == (version == 1, version == 2)
    records, chunks, packets, ends = [], [], [], []
    while True:
        at = file.at
        kind, length = chr(file.fixed(1)), file.fixed(8)
        file.check(at)
        payload = Bytes(file.take(length))
        if kind == "I":
            break
        records.append((kind, length))
        if kind == "V":
            chunks.append(chunk(payload, header))
        elif kind == "A":
            packets += audio(payload)
        elif kind == "e":
            ends.append(payload.sv())
            payload.check(0)
            payload.done()
        else:
            assert kind.islower(), "made for a newer program"
    index(payload, records, chunks)
    since = file.at
    assert file.fixed(8) == at
    file.check(since)
    assert file.take(8) == END
    file.done()
    return {"header": header, "chunks": chunks, "audio": packets, "end": end_of_last(ends, chunks)}


def end_of_last(ends, chunks):
    """Section 5: when the last frame stops being shown; none if that is not known."""
    times = [time for one in chunks for time in one["timestamps"]]
    if ends:
        (end,) = ends
        assert times[-1] < end < 2**62
        return end
    usual = 2 * times[-1] - times[-2] if len(times) > 1 else 2**62
    return usual if usual < 2**62 else None


def index(payload, records, chunks):
    """Section 8: the list of records says what was found."""
    listed, totals = [], [0, 0]
    for _ in range(payload.uv()):
        kind, length = chr(payload.fixed(1)), payload.uv()
        listed.append((kind, length))
        if kind == "V":
            place = chunks[sum(k == "V" for k, _ in listed) - 1]
            assert (payload.uv(), payload.uv()) == (place["shape"][1], len(place["timestamps"]))
            totals[0] += place["shape"][1]
            totals[1] += len(place["timestamps"])
    assert listed == records
    assert [payload.uv(), payload.uv()] == totals
    payload.check(0)
    payload.done()


def chunk(payload, header):
    """Section 5."""
    head = Bytes(payload.take(payload.fixed(4)))
    payload.check(0)
    number, first_step, first_frame = head.uv(), head.uv(), head.uv()
    shape = (head.uv(), head.uv(), head.uv(), head.uv())
    assert shape[0] == header["channels"]
    assert shape[2:] == (header["latent_height"], header["latent_width"])
    timestamps = []
    for place in range(head.uv()):
        timestamps.append(timestamps[-1] + head.uv() + 1 if place else head.sv())
    entries = [(head.uv(), head.fixed(4), head.fixed(4)) for _ in range(shape[0])]
    head.done()
    channels = []
    bases = [base for token in header.get("bases", []) for base in token] or [None] * shape[0]
    assert len(bases) == shape[0]
    for (size, crc_segment, crc_symbols), base in zip(entries, bases, strict=True):
        data = payload.take(size)
        assert zlib.crc32(data) == crc_segment
        symbols = segment(data, shape[1] * shape[2] * shape[3], base)
        assert zlib.crc32(raster(symbols)) == crc_symbols
        channels.append(symbols)
    payload.done()
    return {
        "number": number,
        "first_step": first_step,
        "first_frame": first_frame,
        "timestamps": timestamps,
        "shape": shape,
        "channels": channels,
    }


def raster(symbols):
    """Symbols as the 4-byte integers that checksums and digests are taken of."""
    return b"".join(symbol.to_bytes(4, "little", signed=True) for symbol in symbols)


def segment(data, total, base=None):
    """Section 6; `base` is that of the channel in version 2."""
    table = Bytes(data)
    size = table.uv()
    if base is not None and size == 0:
        frequencies = [2**24 // base] * base
        frequencies[-1] = 2**24 - sum(frequencies[:-1])
        return list(range_decode(words_of(data[table.at :]), frequencies, total))
    symbols = [table.sv()]
    for _ in range(size - 1):
        symbols.append(symbols[-1] + table.uv() + 1)
    counts = [table.uv() + 1 for _ in range(size - 1)]
    counts.append(total - sum(counts))
    assert counts[-1] >= 1
    assert base is None or 0 <= symbols[0] <= symbols[-1] < base
    if size == 1:
        table.done()
        return symbols * total
    frequencies = [1 + count * (2**24 - size) // total for count in counts]
    frequencies[counts.index(max(counts))] += 2**24 - sum(frequencies)
    return [symbols[i] for i in range_decode(words_of(data[table.at :]), frequencies, total)]


def words_of(rest):
    """What follows the table."""
    assert len(rest) % 4 == 0
    return [int.from_bytes(rest[i : i + 4], "little") for i in range(0, len(rest), 4)]


def range_decode(words, frequencies, total):
    """The range decoder of section 6; yields indices into the table."""
    lefts = list(accumulate(frequencies, initial=0))[:-1]
    supply = iter(words)
    lower, full = 0, MASK
    point = next(supply, 0) << 32 | next(supply, 0)
    for _ in range(total):
        scale = full >> 24
        quantile = (point - lower & MASK) // scale
        assert quantile < 2**24, "damaged"
        i = bisect_right(lefts, quantile) - 1
        yield i
        lower = lower + scale * lefts[i] & MASK
        full = scale * frequencies[i]
        if full < 2**32:
            lower = lower << 32 & MASK
            full <<= 32
            point = (point << 32 & MASK) | next(supply, 0)


def audio(payload):
    """Section 7."""
    packets, pts, dts = [], 0, 0
    for _ in range(payload.uv()):
        pts, dts = pts + payload.sv(), dts + payload.sv()
        duration, flags = payload.uv(), payload.uv()
        assert flags <= 1
        side, data = payload.take(payload.uv()), payload.take(payload.uv())
        packets.append(
            {"pts": pts, "dts": dts, "duration": duration, "key": bool(flags), "side": side, "data": data}
        )
    payload.check(0)
    payload.done()
    return packets


def digest(chunks):
    """SHA-256 over the symbols of all chunks, channel after channel, in raster order."""
    total = hashlib.sha256()
    for one in chunks:
        for symbols in one["channels"]:
            total.update(raster(symbols))
    return total.hexdigest()


if __name__ == "__main__":
    found = decode(Path(sys.argv[1]).read_bytes())
    shapes = [one["shape"] for one in found["chunks"]]
    sys.stdout.write(f"{shapes}, {len(found['audio'])} audio packets, {digest(found['chunks'])}\n")
