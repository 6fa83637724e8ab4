"""The nearest entry of a codebook, and another library's: `python experiments/vq_lookup.py [-o FILE]`.

Protocol vq_lookup: normal vectors of 8 channels, a normal codebook of 2^14 entries, float32 on the CPU. Ours
is `VQ`, theirs `VectorQuantize` of vector-quantize-pytorch in evaluation, where it updates nothing, with the
same codebook and distance; both give indices and entries, without gradients. Rounds are interleaved and the
median counts; a ratio is that of a round, then the median, least and largest of them. Peak memory is by how
much the largest resident set of a fresh process grows in one call, after one of two vectors. Indices differ
only where entries are nearly equally near; then it is counted how often theirs is nearer in float64.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import Tensor
from vector_quantize_pytorch import VectorQuantize

from tubelet.quantizers.nearest import CHUNK_BYTES, squared_distance
from tubelet.quantizers.vq import VQ
from tubelet.results import write_results

CHANNELS, CODES = 8, 1 << 14
SYSTEMS = ("ours", "vector-quantize-pytorch")
COUNTS = (1024, 4096, 16384)
"""Positions of a call: one to sixteen latent steps of 256 x 256 pixels at a stride of 8."""


def main() -> None:
    """Measure and write experiments/results/vq_lookup.json, or be the process whose memory is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=Path("experiments/results/vq_lookup.json"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, metavar="N")
    parser.add_argument("--grow", nargs=2, metavar=("SYSTEM", "COUNT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.grow:
        print(growth(arguments.grow[0], int(arguments.grow[1])))
        return
    figures = {
        "channels": CHANNELS,
        "codes": CODES,
        "threads": arguments.threads,
        "rounds": arguments.rounds,
        "vector_quantize_pytorch": version("vector-quantize-pytorch"),
        "chunk_mib": CHUNK_BYTES / 2**20,
        "positions": {str(count): compare(count, arguments.rounds) for count in arguments.counts},
    }
    write_results(arguments.o, protocol=" ".join((__doc__ or "").split()), figures=figures)
    print(json.dumps(figures, indent=2))


def compare(count: int, rounds: int) -> dict[str, Any]:
    """Both systems in turn on so many positions."""
    vectors, systems = vectors_of(count), {name: task(name) for name in SYSTEMS}
    found = {name: system(vectors) for name, system in systems.items()}
    times: dict[str, list[float]] = {name: [] for name in SYSTEMS}
    for _ in range(rounds):
        for name, system in systems.items():
            began = time.perf_counter()
            system(vectors)
            times[name].append(time.perf_counter() - began)
    ours, theirs = (times[name] for name in SYSTEMS)
    ratios = [slow / fast for fast, slow in zip(ours, theirs, strict=True)]
    return {
        "seconds": {name: rounded(statistics.median(taken)) for name, taken in times.items()},
        "times_faster": {
            "median": rounded(statistics.median(ratios)),
            "least": rounded(min(ratios)),
            "largest": rounded(max(ratios)),
        },
        "peak_mib": {name: measured_growth(name, count) for name in SYSTEMS},
        "scores_mib": count * CODES * 4 / 2**20,
        "indices_that_differ": int((found["ours"] != found["vector-quantize-pytorch"]).sum()),
        "theirs_nearer": int(nearer(vectors, *(found[name] for name in reversed(SYSTEMS))).sum()),
    }


def nearer(vectors: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Where the first index is nearer than the second, in float64."""
    codebook = VQ(CHANNELS, CODES).codebook
    return squared_distance(vectors, codebook[first]) < squared_distance(vectors, codebook[second])


def vectors_of(count: int) -> Tensor:
    """Normal vectors."""
    return torch.randn(count, CHANNELS, generator=torch.Generator().manual_seed(1))


def task(name: str) -> Callable[[Tensor], Tensor]:
    """The indices of vectors, by one of the systems with the codebook that `VQ` starts with."""
    ours = VQ(CHANNELS, CODES)
    if name == "ours":

        @torch.no_grad()
        def find(vectors: Tensor) -> Tensor:
            return ours(rearrange(vectors, "n c -> 1 c 1 1 n")).digits.flatten().long()

        return find
    theirs = VectorQuantize(CHANNELS, CODES).eval()
    codebook = theirs.get_buffer("_codebook.embed")
    codebook.copy_(rearrange(ours.codebook, "k c -> 1 k c"))

    @torch.no_grad()
    def look_up(vectors: Tensor) -> Tensor:
        return theirs(rearrange(vectors, "n c -> 1 n c"))[1].flatten()

    return look_up


def growth(name: str, count: int) -> float:
    """By how many MiB one call makes the largest resident set of this process grow."""
    vectors, system = vectors_of(count), task(name)
    system(vectors[:2])
    before = largest_resident_set()
    system(vectors)
    return (largest_resident_set() - before) / 1024


def largest_resident_set() -> int:
    """In KiB, on Linux; what `resource` knows contains the process that started this one."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


def measured_growth(name: str, count: int) -> float:
    """`growth` in a fresh process."""
    threads = str(torch.get_num_threads())
    command = [sys.executable, __file__, "--threads", threads, "--grow", name, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return round(float(done.stdout), 1)


def rounded(value: float) -> float:
    """Four digits."""
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main()
