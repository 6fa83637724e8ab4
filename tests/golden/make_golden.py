"""Writes ``version1.tube`` and the others and their digests: every later program must read them alike.

Run ``python tests/golden/make_golden.py`` when a new format version is decided on, and never else.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy_model import NumpyModel
from toy_model import NAME, SHA256

from tubelet.bitstream import (
    AudioHeader,
    AudioPacket,
    Chunk,
    Header,
    PartHeader,
    PartSymbols,
    PriorHeader,
    TubeWriter,
)

HERE = Path(__file__).parent
STRIDE = (4, 8, 8)
ROWS, COLUMNS = 3, 5
EXTREME = 2**23 - 1
BASES = ((8, 5, 3), (2,), (1 << 14, 1000, 1 << 18))


def part(**facts):
    return PartHeader(stride=STRIDE, rows=ROWS, columns=COLUMNS, **facts)


def header():
    return Header(
        version=1,
        content="latent",
        parts=(part(name="latent", channels=3, steps=(1 << 20, 1 << 19, 1)),),
        tokenizer="golden",
        tokenizer_sha256=hashlib.sha256(b"golden").hexdigest(),
        stride=STRIDE,
        lead_frame=True,
        height=20,
        width=39,
        time_base=(1, 90000),
        sample_aspect=(4, 3),
        colour={"matrix": "bt709", "full_range": False},
        source={"codec": "h264", "rotation": 90, "title": "Grüße"},
        audio=AudioHeader(
            codec="aac",
            sample_rate=48000,
            layout="stereo",
            channels=2,
            time_base=(1, 48000),
            extradata=bytes([0x11, 0x90]),
            parameters={"frame_size": 1024, "profile": "LC"},
        ),
    )


def bell(label, shape):
    """Numbers shaped like a bell, by integer arithmetic that no library version changes."""
    size = int(np.prod(shape))
    stream = hashlib.shake_256(label.encode()).digest(2 * size)
    values = [stream[2 * i].bit_count() - stream[2 * i + 1].bit_count() for i in range(size)]
    return np.array(values, np.int32).reshape(shape)


def chunks():
    """Three chunks: one usual, one that completes no frame, one with the rarer forms of a table."""
    timestamps = [[-3000, 0, 3003, 6006, 9009], [], [9010, 2**40, 2**40 + 1]]
    first_step = first_frame = 0
    for number, (times, steps) in enumerate(zip(timestamps, (2, 1, 3), strict=True)):
        symbols = bell(f"chunk {number}", (3, steps, ROWS, COLUMNS))
        symbols[2] *= 3  # holes in the table
        if number == 1:
            symbols[1] = -7  # one symbol alone
        if number == 2:
            symbols[1, 0, 0, :2] = -EXTREME, EXTREME
        yield Chunk(
            number=number,
            first_step=first_step,
            first_frame=first_frame,
            timestamps=np.array(times, np.int64),
            symbols=symbols,
        )
        first_step += steps
        first_frame += len(times)


def packets():
    """Four packets; the first two say how many samples to cut."""
    for number in range(4):
        yield AudioPacket(
            data=hashlib.shake_256(f"packet {number}".encode()).digest(5 * number),
            pts=1024 * number - 1024,
            dts=1024 * number - 2048,
            duration=1024 if number else 0,
            keyframe=number != 2,
            side_data=bytes(10) if number < 2 else b"",
        )


def write(target):
    """Chunks and audio in turns."""
    sounds = list(packets())
    with TubeWriter(target, header(), force=True) as writer:
        for chunk in chunks():
            writer.write_chunk(chunk)
            writer.write_audio(sounds[2 * chunk.number : 2 * chunk.number + 2])


def digest():
    """SHA-256 over all symbols as the reference decoder takes it."""
    return digest_of(chunks())


def digest_of(some_chunks):
    return hashlib.sha256(b"".join(c.symbols.astype("<i4").tobytes() for c in some_chunks)).hexdigest()


# Version 2: tokens.


def token_header():
    digits = sum(map(len, BASES))
    only = part(name="tokens", channels=digits, bases=BASES)
    return replace(header(), version=2, content="tokens", parts=(only,), tokenizer="golden tokens")


def digits_of(label, base, shape):
    """Digits of a base, small ones more often, by integer arithmetic that no library version changes."""
    size = int(np.prod(shape))
    stream = hashlib.shake_256(label.encode()).digest(8 * size)
    pairs = [
        (int.from_bytes(stream[8 * i :][:4]), int.from_bytes(stream[8 * i + 4 :][:4])) for i in range(size)
    ]
    return np.array([min(one % base, other % base) for one, other in pairs], np.int32).reshape(shape)


def token_chunks():
    """The chunks of `chunks`, with digits: of even and uneven bases, one alone, the largest and smallest."""
    flat = [base for token in BASES for base in token]
    for chunk in chunks():
        shape = chunk.symbols.shape[1:]
        digits = [digits_of(f"chunk {chunk.number}, digit {i}", base, shape) for i, base in enumerate(flat)]
        if chunk.number == 1:
            digits[0][:] = 7
        if chunk.number == 2:
            digits[6][0, 0, :2] = 0, flat[6] - 1
            digits[5][:] %= 4  # few different ones of many: a table is shorter
        yield replace(chunk, symbols=np.stack(digits))


def write_tokens(target):
    """Chunks and audio in turns."""
    sounds = list(packets())
    with TubeWriter(target, token_header(), force=True) as writer:
        for chunk in token_chunks():
            writer.write_audio(sounds[2 * chunk.number : 2 * chunk.number + 2])
            writer.write_chunk(chunk)


# Version 3: parts with counts and centroids, and a prior for a latent and for tokens.

PRIOR = PriorHeader(name=NAME, sha256=SHA256)


def parts_header():
    """A latent of three parts: one on the stride of the model with a map of counts, and two on finer ones."""
    whole = part(
        name="whole",
        channels=3,
        steps=(1 << 20, 1 << 19, 1),
        counts=(0, 1, 3),
        centroids=((40, 12), (30, 0), (127, 127)),
    )
    fine = PartHeader(
        name="fine", channels=2, stride=(2, 4, 8), rows=2 * ROWS, columns=COLUMNS, steps=(7, 2**32 - 1)
    )
    wide = PartHeader(
        name="wide", channels=2, stride=(4, 8, 2), rows=ROWS, columns=4 * COLUMNS, steps=(9, 9), counts=(1,)
    )
    return replace(header(), version=3, tokenizer="golden parts", parts=(whole, fine, wide))


def counts_of(label, permitted, shape):
    """Some of the permitted counts, by integer arithmetic that no library version changes."""
    picked = digits_of(label, len(permitted), shape)
    return np.array(permitted, np.int32)[picked]


def parts_chunks():
    """The chunks of `chunks`, in parts."""
    for chunk in chunks():
        label, (whole, fine, wide) = f"chunk {chunk.number}", parts_header().parts
        shapes = [
            (
                parts_header().part_steps(each, chunk.first_step, chunk.symbols.shape[1]),
                each.rows,
                each.columns,
            )
            for each in (whole, fine, wide)
        ]
        counts = counts_of(label, whole.counts, shapes[0])
        if chunk.number == 1:
            counts[:] = 0  # channels without any symbol
        one = PartSymbols(symbols=chunk.symbols, counts=counts)
        other, last = (
            PartSymbols(symbols=bell(f"{label}, {name}", (2, *shape)))
            for name, shape in zip(("fine", "wide"), shapes[1:], strict=True)
        )
        facts = {"first_step": chunk.first_step, "first_frame": chunk.first_frame}
        yield Chunk(number=chunk.number, timestamps=chunk.timestamps, parts=(one, other, last), **facts)


def prior_header():
    """A latent of one part whose symbols the toy model knows."""
    only = part(name="latent", channels=4, steps=(3, 2, 1, 1), counts=(0, 1, 2, 4))
    return replace(header(), version=3, tokenizer="golden prior", parts=(only,), prior=PRIOR)


def prior_chunks():
    """Chunks that stand still, so that the prior is shorter, and one of a few symbols that leap."""
    for chunk in chunks():
        label, shape = f"prior {chunk.number}", chunk.symbols.shape[1:]
        still = bell(label, (4, 1, *shape[1:])) * np.array([9, 300, 2, 1], np.int32)[:, None, None, None]
        symbols = np.repeat(still, shape[0], axis=1) + bell(label + ", noise", (4, *shape)) // 4
        counts = np.repeat(counts_of(label, (0, 1, 2, 4), (1, *shape[1:])), shape[0], axis=0)
        if chunk.number == 0:
            symbols[0] = 1000 * (bell(label + ", leaps", shape) > 0)
            symbols[1:] = 0
        if chunk.number == 2:
            counts[0, 0, :2] = 4
            symbols[:2, 0, 0, 0] = EXTREME
            symbols[:2, 0, 0, 1] = -EXTREME
        has_symbol = np.arange(4)[:, None, None, None] < counts
        yield replace(chunk, parts=(PartSymbols(symbols=symbols * has_symbol, counts=counts),))


TOKEN_BASES = ((8, 5), (3, 1000))


def prior_token_header():
    """Tokens whose digits the toy model knows; a position may have fewer of them."""
    only = part(name="tokens", channels=4, bases=TOKEN_BASES, counts=(2, 4))
    facts = {"version": 3, "content": "tokens", "tokenizer": "golden prior of tokens", "prior": PRIOR}
    return replace(header(), parts=(only,), **facts)


def prior_token_chunks():
    """Digits of which the small ones are usual; in the second chunk each channel has one of its own."""
    bases = [base for token in TOKEN_BASES for base in token]
    for chunk in chunks():
        label, shape = f"tokens {chunk.number}", chunk.symbols.shape[1:]
        digits = np.stack([digits_of(f"{label}, {place}", base, shape) for place, base in enumerate(bases)])
        if chunk.number == 1:
            digits[:] = np.array([7, 4, 2, 999], np.int32)[:, None, None, None]
        counts = counts_of(label, (2, 4), shape)
        has_symbol = np.arange(4)[:, None, None, None] < counts
        yield replace(chunk, parts=(PartSymbols(symbols=digits * has_symbol, counts=counts),))


def write_version_3(target, made, some_chunks):
    """Chunks and audio in turns, and an end that no reader would assume."""
    models = {each.name: NumpyModel(each.channels, each.digit_bases) for each in made.parts if made.prior}
    sounds = list(packets())
    with TubeWriter(target, made, models=models, force=True) as writer:
        for chunk in some_chunks:
            writer.write_chunk(chunk)
            writer.write_audio(sounds[2 * chunk.number : 2 * chunk.number + 2])
        writer.write_end(2**40 + 100)


VERSION_3 = {
    "version3": (parts_header, parts_chunks),
    "version3-prior": (prior_header, prior_chunks),
    "version3-tokens": (prior_token_header, prior_token_chunks),
}
"""What makes the header and the chunks of each file."""


def digest_of_parts(some_chunks, permitted):
    """SHA-256 over the symbols of all chunks, part after part; what is beyond the counts is 0."""
    total = hashlib.sha256()
    for chunk in some_chunks:
        for one, counts in zip(chunk.parts, permitted, strict=True):
            known = one.counts if len(counts) != 1 else np.full(one.symbols.shape[1:], counts[0])
            has_symbol = True if known is None else np.arange(len(one.symbols))[:, None, None, None] < known
            total.update((one.symbols * has_symbol).astype("<i4").tobytes())
    return total.hexdigest()


def store(name, write_file, symbols):
    target = HERE / f"{name}.tube"
    write_file(target)
    facts = {"file": hashlib.sha256(target.read_bytes()).hexdigest(), "symbols": symbols}
    (HERE / f"{name}.json").write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    store("version1", write, digest())
    store("version2", write_tokens, digest_of(token_chunks()))
    for name, (make_header, make_chunks) in VERSION_3.items():
        permitted = [each.counts for each in make_header().parts]
        store(
            name,
            lambda target, made=make_header, some=make_chunks: write_version_3(target, made(), some()),
            digest_of_parts(make_chunks(), permitted),
        )
