"""What the prior and budgets cost in time: CPU seconds of files, as ratios, and of a seek.

    python experiments/file_speed.py CLIPS -o FIGURES.json [--rounds 3]

Every way of making a file takes its turn in each round, on the same frames, in one process; CPU seconds
count, of all threads, so what else the machine does matters little. Figures are medians over the rounds of
the ratio to the first way of the same round, with the least and the largest. A seek opens a file of 1080 x
1920 (or 1920 x 1080) pixels of the linear tokenizer and decodes one frame.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from tubelet.checkpoint import read_continuous
from tubelet.codec.budget import Bitrate, BitsPerPixel, Quality
from tubelet.codec.encode import encode_file
from tubelet.codec.tube import open_tube
from tubelet.data.clips import find_clips
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import find_protocol
from tubelet.results import write_results

LINEAR = "klt-4x8x8"
FULL_HD = 1080 * 1920
SEEKS = (0, 7, 16)

WAYS: dict[str, dict[str, Any]] = {
    "tables": {"prior": False},
    "prior": {},
    "quality 27, tables": {"budget": Quality(level=27), "prior": False},
    "quality 27": {"budget": Quality(level=27)},
    "0.1 bits per pixel": {"budget": BitsPerPixel(bits=0.1)},
    "200 kbit/s": {"budget": Bitrate(bits_per_second=200e3)},
    "0.1 bits per pixel, two passes": {"budget": BitsPerPixel(bits=0.1), "two_pass": True},
}
DECODED = ("tables", "prior", "quality 27, tables", "quality 27")


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of clips; the first and the first of 1080p are taken")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--tokenizer", default="tubelet-m")
    parser.add_argument("--rounds", type=int, default=3, help="0 for seeks alone")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    paths = find_clips(arguments.data)
    with tempfile.TemporaryDirectory(prefix="tubelet-") as folder:
        figures = {}
        if arguments.rounds:
            figures = ratios(paths[0], Path(folder), arguments.tokenizer, rounds=arguments.rounds)
        figures["seek_seconds"] = seeks(paths, Path(folder))
    for kind, found in figures.items():
        for name, each in found.items():
            print(f"{kind:16}{name:34}", *(f"{key} {value:.3f}" for key, value in each.items()))
    described = f"{arguments.tokenizer}, 33 frames, short side 256, CPU seconds, {arguments.rounds} rounds"
    write_results(arguments.output, protocol=described, figures=figures, force=True)


def ratios(
    path: Path, folder: Path, tokenizer: str, *, rounds: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Ratios of each way of encoding and of decoding to the first one."""
    source = folder / "clip.npy"
    np.save(source, open_clip(path, find_protocol("short256x33")).frames, allow_pickle=False)
    checkpoint = read_continuous(tokenizer)
    taken: dict[str, dict[str, list[float]]] = {"encode": {}, "decode": {}}
    for _ in range(rounds):
        for number, (name, options) in enumerate(WAYS.items()):
            tube = folder / f"{number}.tube"

            def encode(tube: Path = tube, options: dict[str, Any] = options) -> None:
                encode_file(source, tube, tokenizer=checkpoint, force=True, **options)

            def decode(tube: Path = tube) -> None:
                with open_tube(tube, tokenizer=checkpoint) as opened:
                    for _run in opened.read():
                        pass

            taken["encode"].setdefault(name, []).append(cpu_seconds(encode))
            if name in DECODED:
                taken["decode"].setdefault(name, []).append(cpu_seconds(decode))
    return {
        kind: {name: over(ways["tables"], each) for name, each in ways.items()}
        for kind, ways in taken.items()
    }


def over(first: list[float], these: list[float]) -> dict[str, float]:
    """Median, least and largest ratio of the rounds, and the median of the seconds."""
    found = [each / one for one, each in zip(first, these, strict=True)]
    return {"ratio": median(found), "least": min(found), "largest": max(found), "seconds": median(these)}


def seeks(paths: list[Path], folder: Path) -> dict[str, dict[str, float]]:
    """CPU seconds and seconds by the clock to open a file of a linear tokenizer and decode one frame."""
    protocol = replace(find_protocol("native-all"), frames=17)
    checkpoint = read_continuous(LINEAR)
    for path in paths:
        frames = open_clip(path, protocol).frames
        if frames[0, ..., 0].size >= FULL_HD:
            break
    else:
        raise SystemExit("no clip has 1080 x 1920 pixels; give a folder with one.")
    np.save(folder / "full.npy", frames, allow_pickle=False)
    found: dict[str, dict[str, float]] = {}
    for name, options in {"64 channels": {}, "budget of 8": {"budget": 8}}.items():
        tube = folder / "full.tube"
        encode_file(folder / "full.npy", tube, tokenizer=checkpoint, force=True, **options)
        cpu, clock = [], []
        for frame in SEEKS * 2:
            began = time.perf_counter()

            def seek(frame: int = frame) -> None:
                with open_tube(tube, tokenizer=checkpoint) as opened:  # noqa: B023  (called at once)
                    assert opened[frame : frame + 1].shape[0] == 1

            cpu.append(cpu_seconds(seek))
            clock.append(time.perf_counter() - began)
        found[name] = {"cpu": median(cpu), "largest": max(cpu), "clock": median(clock)}
    return found


def cpu_seconds(work: Callable[[], None]) -> float:
    """CPU time of all threads that work takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
