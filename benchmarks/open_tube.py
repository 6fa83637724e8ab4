"""How long opening a ``.tube`` of many chunks takes: `python benchmarks/open_tube.py [CHUNKS ...]`.

An hour of 1080p at 30 frames per second has some 27,000 chunks. Chunks are of one small latent step, because
opening reads none of them. Prints a row for each file.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from tubelet.bitstream import Chunk, Header, TubeReader, TubeWriter
from tubelet.checkpoint import read_checkpoint
from tubelet.codec.tube import open_tube

CHANNELS = 4


def main() -> None:
    """Write the files, open each three times, and print the least time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chunks", nargs="*", type=int, default=[6_750, 27_000])
    for count in parser.parse_args().chunks:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "long.tube"
            write(path, count)
            seconds = min(timed(path) for _ in range(3))
            begun = time.perf_counter()
            with TubeReader(path) as reader:
                alone = time.perf_counter() - begun
                frames = reader.frames
            print(f"{count} chunks, {frames} frames: opened in {seconds:.3f} s, of which index {alone:.3f} s")


def timed(path: Path) -> float:
    """Seconds that opening takes, the tokenizer's weights included."""
    begun = time.perf_counter()
    with open_tube(path):
        return time.perf_counter() - begun


def write(path: Path, count: int) -> None:
    """A file of so many chunks, of the linear tokenizer."""
    made = read_checkpoint("klt-4x8x8")
    first_frame = made.tokenizer.grouping.first_frame
    header = Header(
        tokenizer=made.config.name,
        tokenizer_sha256=made.sha256,
        stride=(4, 8, 8),
        lead_frame=made.tokenizer.lead_frame,
        channels=CHANNELS,
        steps=(1 << 18,) * CHANNELS,
        height=8,
        width=8,
        latent_height=1,
        latent_width=1,
        time_base=(1, 30),
        sample_aspect=(1, 1),
        colour={"matrix": "bt709", "range": "limited", "primaries": 1, "transfer": 1},
        source={},
        audio=None,
    )
    with TubeWriter(path, header) as writer:
        for number in range(count):
            times = np.arange(first_frame(number), first_frame(number + 1))
            symbols = np.full((CHANNELS, 1, 1, 1), number % 5, np.int32)
            first = int(times[0])
            writer.write_chunk(
                Chunk(number=number, first_step=number, first_frame=first, timestamps=times, symbols=symbols)
            )


if __name__ == "__main__":
    main()
