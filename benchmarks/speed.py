"""Speed and memory at 1080p: `python benchmarks/speed.py [-o FILE]`.

Protocol speed1080p: a clip of 1920x1080 made from scikit-image's photographs with camera-like motion, H.264,
24 frames per second; medians of interleaved rounds on one machine, nothing else running. *Tensors only* is
`tokenizer.encode` and `tokenizer.decode` of 17 frames in float32 with all channels, against reading the file
with accurate colour conversion. *File to file* is each file function against the slowest of its stages run
alone, with half of the cores for torch, as the command line sets it. *Memory* is the peak resident set of a
`tubelet reconstruct` process.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from tubelet.bitstream.chunk import Chunk, chunk_to_bytes
from tubelet.checkpoint import read_checkpoint
from tubelet.codec.decode import decode_file
from tubelet.codec.encode import encode_file, make_quantizer
from tubelet.codec.reconstruct import reconstruct_file
from tubelet.data.photographs import moving_photographs
from tubelet.results import write_results
from tubelet.types import Frames
from tubelet.video.pixels import to_model
from tubelet.video.read import read
from tubelet.video.write import Writer

TOKENIZER = "klt-4x8x8"
"""The linear one: with networks their time is all that counts (`benchmarks/rivals.py`)."""

HEIGHT, WIDTH, RATE = 1080, 1920, 24
CLIP_FRAMES = 120
TENSOR_FRAMES = 17


def main() -> None:
    """Measure and write benchmarks/results/speed1080p.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=Path("benchmarks/results/speed1080p.json"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-memory", action="store_true", help="leave the measurement of memory out")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with TemporaryDirectory() as folder:
        pictures = [frame.copy() for frame in moving_photographs(CLIP_FRAMES, height=HEIGHT, width=WIDTH)]
        clip = write_clip(Path(folder) / "clip.mp4", pictures, seconds=CLIP_FRAMES // RATE)
        figures: dict[str, object] = {
            "tensors_only": tensors_only(clip, np.stack(pictures[:TENSOR_FRAMES]), arguments.rounds),
            "file_to_file": file_to_file(clip, pictures, Path(folder), arguments.rounds),
        }
        if not arguments.no_memory:
            figures["peak_rss_mib"] = {
                f"{seconds} s": peak_rss(
                    write_clip(Path(folder) / f"{seconds}.mp4", pictures, seconds=seconds)
                )
                for seconds in (10, 60)
            }
    write_results(arguments.o, protocol=" ".join((__doc__ or "").split()), figures=figures)
    print(figures)


def write_clip(target: Path, pictures: list[Frames], *, seconds: int) -> Path:
    """Write a clip of so many seconds, going through the pictures forth and back."""
    there_and_back = pictures + pictures[::-1]
    with Writer(target, width=WIDTH, height=HEIGHT, time_base=Fraction(1, RATE)) as writer:
        for index in range(seconds * RATE):
            writer.write(there_and_back[index % len(there_and_back)][None], np.array([index]))
    return target


def tensors_only(clip: Path, frames: Frames, rounds: int) -> dict[str, float]:
    """Megapixels per second of the linear transform, and of reading."""
    tokenizer = read_checkpoint(TOKENIZER).tokenizer
    video = to_model(frames)
    latent = tokenizer.encode(video)
    pixels = frames.size / 3
    tasks: dict[str, tuple[Callable[[], object], float]] = {
        "read": (lambda: [None for _ in read(clip)], CLIP_FRAMES * HEIGHT * WIDTH),
        "encode": (lambda: tokenizer.encode(video), pixels),
        "decode": (lambda: tokenizer.decode(latent, frames=len(frames), height=HEIGHT, width=WIDTH), pixels),
    }
    times = interleaved({name: task for name, (task, _) in tasks.items()}, rounds)
    speed = {f"{name}_mpx_per_s": round(tasks[name][1] / times[name] / 1e6, 1) for name in tasks}
    speed["encode_over_read"] = round(speed["encode_mpx_per_s"] / speed["read_mpx_per_s"], 3)
    speed["decode_over_read"] = round(speed["decode_mpx_per_s"] / speed["read_mpx_per_s"], 3)
    return speed


def file_to_file(clip: Path, pictures: list[Frames], folder: Path, rounds: int) -> dict[str, object]:
    """Seconds of each file function, and of each of its stages alone on the same frames."""
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    checkpoint = read_checkpoint(TOKENIZER)
    tokenizer = checkpoint.tokenizer
    quantizer = make_quantizer(checkpoint, channels=None, step=1.0)
    symbols: list[np.ndarray] = []

    def tokenize() -> None:
        symbols.clear()
        stream = tokenizer.stream_encoder()
        symbols.extend(quantizer.quantize(stream.push_frames(picture[None])) for picture in pictures)
        symbols.append(quantizer.quantize(stream.finish()))

    def code() -> None:
        none = np.empty(0, dtype=np.int64)
        for part in symbols:
            if part.shape[1]:
                chunk_to_bytes(Chunk(number=0, first_step=0, first_frame=0, timestamps=none, symbols=part))

    def untokenize() -> None:
        stream = tokenizer.stream_decoder(height=HEIGHT, width=WIDTH)
        for part in symbols:
            if part.shape[1]:
                stream.push_frames(quantizer.dequantize(part))

    tokenize()
    tube, back, again = folder / "clip.tube", folder / "back.mp4", folder / "again.mp4"
    encode_file(clip, tube, tokenizer=TOKENIZER, force=True)
    tasks: dict[str, Callable[[], object]] = {
        "read": lambda: [None for _ in read(clip)],
        "tokenize": tokenize,
        "entropy_code": code,
        "untokenize": untokenize,
        "write": lambda: write_clip(
            folder / f"{time.monotonic_ns()}.mp4", pictures, seconds=CLIP_FRAMES // RATE
        ),
        "encode_file": lambda: encode_file(clip, tube, tokenizer=TOKENIZER, force=True),
        "decode_file": lambda: decode_file(tube, back, force=True),
        "reconstruct_file": lambda: reconstruct_file(clip, again, tokenizer=TOKENIZER, force=True),
    }
    times = interleaved(tasks, rounds)
    stages = {
        "encode_file": ("read", "tokenize", "entropy_code"),
        "decode_file": ("untokenize", "write"),
        "reconstruct_file": ("read", "tokenize", "entropy_code", "untokenize", "write"),
    }
    ratios = {
        name: round(times[name] / max(times[stage] for stage in parts), 3) for name, parts in stages.items()
    }
    return {
        "frames": CLIP_FRAMES,
        "seconds": {name: round(value, 3) for name, value in times.items()},
        "over_slowest_stage_alone": ratios,
    }


def interleaved(tasks: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each task, run in turn; the first round warms up and does not count."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds + 1):
        for name, task in tasks.items():
            began = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def peak_rss(clip: Path) -> float:
    """Peak resident set of `tubelet reconstruct` on a clip, in MiB."""
    measured = (
        "import resource, subprocess, sys; "
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    target = str(clip.with_suffix(".back.mp4"))
    command = [sys.executable, "-m", "tubelet", "reconstruct", str(clip), "-o", target]
    command += ["--tokenizer", TOKENIZER]
    done = subprocess.run(
        [sys.executable, "-c", measured, *command], capture_output=True, text=True, check=True
    )
    return round(int(done.stdout) / 1024, 1)


if __name__ == "__main__":
    main()
