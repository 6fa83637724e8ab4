"""Writes ``version1.tube``, ``version2.tube`` and their digests: every later program must read them alike.

Run ``python tests/golden/make_golden.py`` when a new format version is decided on, and never else.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from tubelet.bitstream import AudioHeader, AudioPacket, Chunk, Header, PartHeader, TubeWriter

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


def store(name, write_file, symbols):
    target = HERE / f"{name}.tube"
    write_file(target)
    facts = {"file": hashlib.sha256(target.read_bytes()).hexdigest(), "symbols": symbols}
    (HERE / f"{name}.json").write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    store("version1", write, digest())
    store("version2", write_tokens, digest_of(token_chunks()))
