"""A second decoder of ``.tube`` files, written from ``SPEC.md`` alone: slow, obvious, no library.

It shares no line with tubelet, so that the two agree only if both do what the specification says. A prior is
handed to it: a function that gives the prior of a part of the header, all in lists (`toy_model.py` is one).
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


def decode(data, prior=None):
    """A whole file as its header, its chunks and its audio packets, as plain dictionaries and lists."""
    file = Bytes(data)
    assert file.take(8) == MAGIC
    version = file.fixed(2)
    assert version in (1, 2, 3), "version"
    header = json.loads(file.take(file.fixed(4)))
    file.check(0)
    parts = parts_of(header, version)
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
            chunks.append(chunk(payload, header, parts, version, prior))
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


def parts_of(header, version):
    """Section 4: the parts of a latent, or of tokens, as version 3 lists them."""
    if version == 3:
        for part in header["parts"]:
            assert ("steps" in part, "bases" in part) == (
                header["content"] == "latent",
                header["content"] == "tokens",
            )
        ((height, width),) = {
            (part["rows"] * part["stride"][1], part["columns"] * part["stride"][2])
            for part in header["parts"]
        }
        assert height % header["stride"][1] == 0 <= height - header["height"]
        assert width % header["stride"][2] == 0 <= width - header["width"]
        return header["parts"]
    assert ("steps" in header, "bases" in header) == (version == 1, version == 2)
    part = {"rows": header["latent_height"], "columns": header["latent_width"], "counts": []}
    return [
        part | {name: header[name] for name in ("channels", "stride", "steps", "bases") if name in header}
    ]


def index(payload, records, chunks):
    """Section 9: the list of records says what was found."""
    listed, totals = [], [0, 0]
    for _ in range(payload.uv()):
        kind, length = chr(payload.fixed(1)), payload.uv()
        listed.append((kind, length))
        if kind == "V":
            place = chunks[sum(k == "V" for k, _ in listed) - 1]
            assert (payload.uv(), payload.uv()) == (place["steps"], len(place["timestamps"]))
            totals[0] += place["steps"]
            totals[1] += len(place["timestamps"])
    assert listed == records
    assert [payload.uv(), payload.uv()] == totals
    payload.check(0)
    payload.done()


def chunk(payload, header, parts, version, prior):
    """Section 5."""
    head = Bytes(payload.take(payload.fixed(4)))
    payload.check(0)
    number, first_step, first_frame = head.uv(), head.uv(), head.uv()
    if version == 3:
        steps = head.uv()
    else:
        channels, steps, rows, columns = head.uv(), head.uv(), head.uv(), head.uv()
        assert channels == header["channels"]
        assert (rows, columns) == (header["latent_height"], header["latent_width"])
    timestamps = []
    for place in range(head.uv()):
        timestamps.append(timestamps[-1] + head.uv() + 1 if place else head.sv())
    codings = []
    for part in parts:
        coding = head.uv() if version == 3 else 0
        count = head.uv() if version == 3 else part["channels"]
        codings.append((coding, [(head.uv(), head.fixed(4), head.fixed(4)) for _ in range(count)]))
    head.done()
    found = []
    for part, (coding, entries) in zip(parts, codings, strict=True):
        lead = header["lead_frame"] and first_step == 0
        latent_steps = lead + (steps - lead) * (header["stride"][0] // part["stride"][0])
        shape = (latent_steps, part["rows"], part["columns"])
        model = prior(part) if coding else None
        found.append(part_of_chunk(payload, part, entries, shape, model))
    payload.done()
    return {
        "number": number,
        "first_step": first_step,
        "first_frame": first_frame,
        "steps": steps,
        "timestamps": timestamps,
        "parts": found,
        "channels": [channel for part in found for channel in part["channels"]],
    }


def part_of_chunk(payload, part, entries, shape, model):
    """Section 5: the segments of a part; its counts, and each channel as a flat list."""
    positions = shape[0] * shape[1] * shape[2]
    segments = iter(entries)

    def read(decoded):
        """The next segment; `decoded` gives what it holds, which is also what its checksum is of."""
        size, crc_segment, crc_symbols = next(segments)
        data = payload.take(size)
        assert zlib.crc32(data) == crc_segment
        symbols = list(decoded(data))
        assert zlib.crc32(raster(symbols)) == crc_symbols
        return symbols

    permitted = part["counts"] or [part["channels"]]
    if len(permitted) > 1:
        indices = read(lambda data: map_of_counts(data, shape, len(permitted), model))
        counts = [permitted[i] for i in indices]
    else:
        counts = permitted * positions
    bases = [base for token in part.get("bases", []) for base in token] or [None] * part["channels"]
    channels = []
    if model is None:
        for channel, base in enumerate(bases):
            total = sum(count > channel for count in counts)
            channels.append(spread(read(lambda data, n=total, b=base: segment(data, n, b)), counts, channel))
    else:
        assert model.groups[0][0] == 0
        assert model.groups[-1][1] == part["channels"]
        for group, (first, last) in enumerate(model.groups):
            known = counts if part["counts"] else None
            coded = read(
                lambda data, g=group, k=known: group_of_channels(data, g, channels, k, shape, bases, model)
            )
            for channel in range(first, last):
                total = sum(count > channel for count in counts)
                channels.append(spread(coded[:total], counts, channel))
                del coded[:total]
            assert not coded
    assert next(segments, None) is None
    return {"shape": (part["channels"], *shape), "counts": counts, "channels": channels}


def spread(symbols, counts, channel):
    """The symbols of a channel at the positions that have it, and 0 at the others."""
    supply = iter(symbols)
    return [next(supply) if count > channel else 0 for count in counts]


def map_of_counts(data, shape, classes, model):
    """The map: digits of a base, or the prior's own."""
    positions = shape[0] * shape[1] * shape[2]
    if model is None:
        return segment(data, positions, classes)
    answer, done = requests(data, model.tables, positions, lambda _: (0, classes - 1))
    indices = model.code_counts(shape, classes, answer)
    done()
    return [index for plane in indices for row in plane for index in row]


def group_of_channels(data, group, lower, counts, shape, bases, model):
    """Section 7: the symbols that a group has, in raster order."""
    first, last = model.groups[group]
    positions = shape[0] * shape[1] * shape[2]
    has_symbol = [counts is None or counts[i] > c for c in range(first, last) for i in range(positions)]
    if not any(has_symbol):
        assert not data
        return []

    def bounds(place):
        base = bases[first + place // positions]
        return (-(2**23) + 1, 2**23 - 1) if base is None else (0, base - 1)

    answer, done = requests(data, model.tables, sum(has_symbol), bounds)
    nested = [folded(channel, shape) for channel in lower]
    symbols = model.code_group(group, nested, counts and folded(counts, shape), answer, shape)
    done()
    flat = [symbol for channel in symbols for plane in channel for row in plane for symbol in row]
    assert all(symbol == 0 for symbol, has in zip(flat, has_symbol, strict=True) if not has)
    return [symbol for symbol, has in zip(flat, has_symbol, strict=True) if has]


def folded(flat, shape):
    """A flat list as steps of rows."""
    steps, rows, columns = shape
    return [[flat[(t * rows + r) * columns :][:columns] for r in range(rows)] for t in range(steps)]


def requests(data, tables, total, bounds):
    """Section 7: what answers the requests of a prior, and what must be true when it has no more."""
    payload = Bytes(data)
    escapes = payload.uv()
    assert escapes <= total
    excesses = [payload.uv() for _ in range(escapes)]
    decoder = RangeDecoder(words_of(data[payload.at :]))
    lefts = [lefts_of(frequencies) for _, frequencies, _ in tables]
    asked = []

    def answer(places, offsets, chosen):
        symbols = [0] * len(places)
        for at in sorted(range(len(places)), key=lambda at: chosen[at]):
            first, frequencies, is_open = tables[chosen[at]]
            assert sum(frequencies) == 2**24
            i = decoder.next(frequencies, lefts[chosen[at]]) if len(frequencies) > 1 else 0
            residual = first + i
            if is_open and i == 0:
                residual -= excesses.pop(0)
            if is_open and i == len(frequencies) - 1:
                residual += excesses.pop(0)
            symbols[at] = offsets[at] + residual
            low, high = bounds(places[at])
            assert low <= symbols[at] <= high
        asked.extend(places)
        return symbols

    def done():
        assert not excesses
        assert len(asked) == len(set(asked)) == total

    return answer, done


def raster(symbols):
    """Symbols as the 4-byte integers that checksums and digests are taken of."""
    return b"".join(symbol.to_bytes(4, "little", signed=True) for symbol in symbols)


def segment(data, total, base=None):
    """Section 6; `base` is that of the digits, if they are any."""
    if total == 0:
        assert not data
        return []
    table = Bytes(data)
    size = table.uv()
    if base is not None and size == 0:
        frequencies = [2**24 // base] * base
        frequencies[-1] = 2**24 - sum(frequencies[:-1])
        decoder, lefts = RangeDecoder(words_of(data[table.at :])), lefts_of(frequencies)
        return [decoder.next(frequencies, lefts) for _ in range(total)]
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
    decoder, lefts = RangeDecoder(words_of(data[table.at :])), lefts_of(frequencies)
    return [symbols[decoder.next(frequencies, lefts)] for _ in range(total)]


def words_of(rest):
    """What follows the table."""
    assert len(rest) % 4 == 0
    return [int.from_bytes(rest[i : i + 4], "little") for i in range(0, len(rest), 4)]


class RangeDecoder:
    """The range decoder of section 6."""

    def __init__(self, words):
        self.supply = iter(words)
        self.lower, self.range = 0, MASK
        self.point = next(self.supply, 0) << 32 | next(self.supply, 0)

    def next(self, frequencies, lefts):
        """One turn of its loop: an index into the frequencies."""
        scale = self.range >> 24
        quantile = (self.point - self.lower & MASK) // scale
        assert quantile < 2**24, "damaged"
        i = bisect_right(lefts, quantile) - 1
        self.lower = self.lower + scale * lefts[i] & MASK
        self.range = scale * frequencies[i]
        if self.range < 2**32:
            self.lower = self.lower << 32 & MASK
            self.range <<= 32
            self.point = (self.point << 32 & MASK) | next(self.supply, 0)
        return i


def lefts_of(frequencies):
    """The left ends."""
    return list(accumulate(frequencies, initial=0))[:-1]


def audio(payload):
    """Section 8."""
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
    """SHA-256 over the symbols of all chunks, part after part, channel after channel, in raster order."""
    total = hashlib.sha256()
    for one in chunks:
        for symbols in one["channels"]:
            total.update(raster(symbols))
    return total.hexdigest()


if __name__ == "__main__":
    found = decode(Path(sys.argv[1]).read_bytes())
    shapes = [[part["shape"] for part in one["parts"]] for one in found["chunks"]]
    sys.stdout.write(f"{shapes}, {len(found['audio'])} audio packets, {digest(found['chunks'])}\n")
