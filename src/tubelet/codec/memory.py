"""How file functions share the memory that they may take: frames in flight first, the tokenizer has the rest.

The program itself, PyTorch and the weights come on top: some 300 MiB.
"""

from math import prod

from tubelet.errors import OptionError
from tubelet.tokenizers.continuous import ContinuousTokenizer

RUN_BYTES = 1 << 23
"""Bytes of decoded frames that are handed on at a time, or one frame."""

LONGEST_RUN = 64
"""Frames that are handed on at a time at most."""

_READ_RUNS = 3
"""Runs of frames that are read: one that is made, one that waits, one that is worked on."""

_WRITTEN_RUNS = 2
"""Runs of frames that are written: one that is made, one that is worked on."""

_DECODER = 24
"""Bytes per pixel that FFmpeg's decoders keep for reference and for their threads."""

_ENCODER = 80
"""Bytes per pixel that its encoders do; x264 looks ten frames ahead."""

_SYMBOLS = 72
"""Bytes per value of a latent step on its way to bytes: six arrays of symbols, and what a prior computes."""


def frames_per_run(height: int, width: int, memory: int) -> int:
    """How many frames are handed on at a time."""
    return max(1, min(LONGEST_RUN, _run_bytes(memory) // (3 * height * width)))


def steps_per_run(tokenizer: ContinuousTokenizer, height: int, width: int, memory: int) -> int:
    """How many latent steps are decoded at a time."""
    return max(1, _run_bytes(memory) // (3 * height * width * tokenizer.stride.t))


def left_for_streams(
    memory: int,
    tokenizer: ContinuousTokenizer,
    height: int,
    width: int,
    *,
    reads: bool = False,
    writes: bool = False,
    beside: int = 0,
) -> int:
    """What the tokenizer's streams may take of `memory` bytes.

    Args:
        memory: bytes for all.
        tokenizer: what encodes or decodes.
        height: rows of pixels.
        width: their columns.
        reads: whether frames come from a video file.
        writes: whether decoded frames go to one.
        beside: bytes that are held for something else.

    Raises:
        OptionError: nothing is left.
    """
    frame, pixels = 3 * height * width, height * width
    group = tokenizer.stride.t * frame
    rows, columns = tokenizer.grouping.cells(height, width)
    values = sum(part.channels * prod(tokenizer.grids[part.name].ratio) for part in tokenizer.parts)
    taken = beside + _SYMBOLS * values * rows * columns
    if reads:
        # Frames that wait for the rest of their group come on top.
        taken += _READ_RUNS * frame * frames_per_run(height, width, memory) + group + _DECODER * pixels
    if writes:
        steps = steps_per_run(tokenizer, height, width, memory)
        taken += _WRITTEN_RUNS * group * steps + _ENCODER * pixels
    if reads and writes:
        # The source's frames that their reconstruction is compared with.
        taken += group
    if taken >= memory:
        raise OptionError(
            f"memory is {memory} bytes; to keep frames of {width}x{height} pixels in flight takes {taken}. "
            "Allow more memory, or make the frames smaller first."
        )
    return memory - taken


def _run_bytes(memory: int) -> int:
    """Bytes of a run: little where there is little in all."""
    return min(RUN_BYTES, memory // 64)
