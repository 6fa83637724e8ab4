"""Speed beside other tokenizers: `python benchmarks/rivals.py [--ours TOKENIZER] [--device cuda] [-o FILE]`.

Protocol rivals256x17: encode and decode 17 frames of 256x256, noise, with random weights for the rivals:
the classes AutoencoderKLWan and AutoencoderKLCosmos of diffusers in their default configurations, in
float32 or bfloat16, whichever took less time when both were tried once; ours with its networks in bfloat16.
Each system lives in a process of its own and computes only when it is asked; rounds are interleaved (ours,
wan, cosmos), a task is repeated within a round until it has taken a second, and its median counts. Ratios
are those of a round, then their median, least and largest over the rounds. Peak memory is the largest
resident set of the system's process, or on a GPU what its tensors took at most; loading is counted in.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from threading import Timer
from typing import Any

import torch
from torch import Tensor, nn

from tubelet.checkpoint import load
from tubelet.results import write_results

FRAMES = 17
"""1 + 4k and 1 + 8k: the lengths that Wan and Cosmos take."""

RIVALS = {"wan": "AutoencoderKLWan", "cosmos": "AutoencoderKLCosmos"}
"""Classes of diffusers."""

FORMATS = ("float32", "bfloat16")
PARTS = ("encode", "decode", "both")
DEVICES = ("cpu", "cuda")

LEAST_SECONDS = 1.0
"""A task is repeated within a round until it has taken so long."""

PATIENCE = 3.0
"""A format that takes this many times as long as the one before is given up, but not within a minute."""

LONGEST_SECONDS = 3600.0
"""A system that takes longer is given up."""

Times = dict[str, float]
"""Seconds by the names in `PARTS`."""


def main() -> None:
    """Measure and write benchmarks/results/rivals.json, or be the process of one system."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", default="tubelet-m", metavar="TOKENIZER", help="a name or a folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=DEVICES, default="cpu")
    parser.add_argument("--side", type=int, default=256, help="rows and columns of the clip")
    parser.add_argument("-o", type=Path, default=Path("benchmarks/results/rivals.json"))
    parser.add_argument("--serve", nargs=2, metavar=("SYSTEM", "FORMAT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(*arguments.serve, ours=arguments.ours, device=arguments.device, side=arguments.side)
        return
    figures = compare(arguments.ours, rounds=arguments.rounds, device=arguments.device, side=arguments.side)
    write_results(arguments.o, protocol=" ".join((__doc__ or "").split()), figures=figures)
    print(json.dumps(figures, indent=2))


def compare(ours: str, *, rounds: int, device: str, side: int) -> dict[str, Any]:
    """Start every system, time them in turn, and put the figures together."""
    common = ["--ours", ours, "--device", device, "--side", str(side)]
    taken: dict[str, list[Times]] = {name: [] for name in ("ours", *RIVALS)}
    with ExitStack() as stack:
        own = stack.enter_context(started("ours", "bfloat16", common))
        print(f"ours, {ours}: {own.facts['mflop_per_pixel']} MFLOP per pixel to encode and decode")
        own.measure()
        systems = {"ours": own} | {name: faster_of_formats(stack, name, common) for name in RIVALS}
        for number in range(rounds):
            for name, system in systems.items():
                taken[name].append(system.measure())
                print(f"round {number + 1}, {name}: {taken[name][-1]['both']:.3f} s")
    pixels = FRAMES * side * side
    return {
        "clip": f"{FRAMES} x {side} x {side}",
        "rounds": rounds,
        "device": device if device == "cpu" else torch.cuda.get_device_name(),
        "diffusers": version("diffusers"),
        "systems": {
            name: system.facts | {"peak_mib": system.peak_mib} | speeds(taken[name], pixels)
            for name, system in systems.items()
        },
        "times_faster_than": {name: ratios(taken["ours"], taken[name]) for name in RIVALS},
    }


def speeds(taken: list[Times], pixels: int) -> dict[str, float]:
    """Megapixels per second, medians of the rounds."""
    return {
        f"{part}_mpx_per_s": rounded(pixels / statistics.median(times[part] for times in taken) / 1e6)
        for part in PARTS
    }


def ratios(ours: list[Times], theirs: list[Times]) -> dict[str, dict[str, float]]:
    """How many times as long the other system took: median, least and largest of the rounds."""
    found: dict[str, dict[str, float]] = {}
    for part in PARTS:
        each = [their[part] / our[part] for our, their in zip(ours, theirs, strict=True)]
        found[part] = {
            "median": rounded(statistics.median(each)),
            "least": rounded(min(each)),
            "largest": rounded(max(each)),
        }
    return found


def rounded(value: float) -> float:
    """Four digits."""
    return float(f"{value:.4g}")


def faster_of_formats(stack: ExitStack, name: str, common: list[str]) -> "System":
    """Start a system in every number format; keep the one that takes less time for a clip."""
    kept: System | None = None
    tried: dict[str, float] = {}
    for number_format in FORMATS:
        least = min(tried.values(), default=LONGEST_SECONDS)
        system = stack.enter_context(started(name, number_format, common))
        try:
            tried[number_format] = system.measure(patience=max(60.0, PATIENCE * least))["both"]
            print(f"{name} in {number_format}: {tried[number_format]:.3f} s")
        except (TimeoutError, RuntimeError) as error:
            print(f"{name} in {number_format}: {error}")
        slower = system
        if tried.get(number_format, LONGEST_SECONDS) < least:
            slower, kept = kept, system
        if slower is not None:
            slower.process.kill()
    if kept is None:
        raise RuntimeError(f"{name} runs in none of {FORMATS}; see above")
    kept.facts["seconds_when_tried"] = tried
    return kept


@dataclass(slots=True)
class System:
    """A process that answers each line with a line of JSON.

    Attributes:
        process: that process.
        facts: what it said of itself.
        peak_mib: memory that it took at most so far.
    """

    process: subprocess.Popen[str]
    facts: dict[str, Any]
    peak_mib: float = 0.0

    def measure(self, *, patience: float = LONGEST_SECONDS) -> Times:
        """Let it encode and decode the clip.

        Raises:
            TimeoutError: it took longer than `patience` seconds; the process is ended.
            RuntimeError: it answers that it cannot.
        """
        timer = Timer(patience, self.process.kill)
        timer.start()
        try:
            answer = ask(self.process)
        finally:
            timer.cancel()
        self.peak_mib = answer.pop("peak_mib")
        return answer


def ask(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Send a line, and give the answer.

    Raises:
        TimeoutError: the process has ended.
        RuntimeError: it answers that it cannot.
    """
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise TimeoutError(f"its process ended with status {process.wait()}: too slow, or out of memory")
    answer = json.loads(line)
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer


@contextmanager
def started(name: str, number_format: str, common: list[str]) -> Iterator[System]:
    """Start the process of a system, and end it afterwards."""
    command = [sys.executable, __file__, *common, "--serve", name, number_format]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield System(process, ask(process))
        finally:
            process.kill()


@dataclass(frozen=True, slots=True)
class Task:
    """What one system does with the clip.

    Attributes:
        encode: gives a latent.
        decode: gives the clip back from a latent.
        facts: what is worth telling.
    """

    encode: Callable[[], Tensor]
    decode: Callable[[Tensor], Tensor]
    facts: dict[str, Any]


def serve(name: str, number_format: str, *, ours: str, device: str, side: int) -> None:
    """Say what a system is, then encode and decode once per line that comes in."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1) as answers, redirect_stdout(sys.stderr):
        clip = noise(side).to(device)
        task = our_task(ours, clip) if name == "ours" else rival_task(name, number_format, clip)
        for first, _ in enumerate(sys.stdin):
            try:
                reply = task.facts if first == 0 else measured(task, clip)
            except RuntimeError as error:
                reply = {"error": str(error).partition("\n")[0]}
            answers.write(json.dumps(reply) + "\n")


def noise(side: int) -> Tensor:
    """A clip that no network can know."""
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.rand(1, 3, FRAMES, side, side, generator=generator) - 1


@torch.inference_mode()
def measured(task: Task, clip: Tensor) -> dict[str, float]:
    """Seconds of encoding and decoding, and the peak of memory up to now."""
    encode, latent = timed(task.encode, clip.device)
    decode, video = timed(lambda: task.decode(latent), clip.device)
    if video.shape != clip.shape:
        raise RuntimeError(f"{tuple(clip.shape)} came back as {tuple(video.shape)}")
    return {"encode": encode, "decode": decode, "both": encode + decode, "peak_mib": peak_mib(clip.device)}


def timed(work: Callable[[], Tensor], device: torch.device) -> tuple[float, Tensor]:
    """The median seconds of some work, and its result."""
    times: list[float] = []
    while True:
        wait(device)
        began = time.perf_counter()
        result = work()
        wait(device)
        times.append(time.perf_counter() - began)
        if sum(times) >= LEAST_SECONDS:
            return statistics.median(times), result


def wait(device: torch.device) -> None:
    """Let a GPU finish what it was told to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_mib(device: torch.device) -> float:
    """Memory that this process took at most."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def our_task(name: str, clip: Tensor) -> Task:
    """A tokenizer of this package."""
    tokenizer = load(name).networks_to(torch.bfloat16).to(clip.device)
    frames, height, width = clip.shape[2:]
    facts = {
        "name": name,
        "format": "bfloat16",
        "mflop_per_pixel": round(tokenizer.flops_per_pixel() / 1e6, 4),
        "million_weights": million_weights(tokenizer),
    }
    return Task(
        encode=lambda: tokenizer.encode(clip),
        decode=lambda latent: tokenizer.decode(latent, frames=frames, height=height, width=width),
        facts=facts,
    )


def rival_task(name: str, number_format: str, clip: Tensor) -> Task:
    """A tokenizer of diffusers, with random weights."""
    # An extra, and slow to import.
    model_class = getattr(import_module("diffusers"), RIVALS[name])
    dtype = getattr(torch, number_format)
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(0)
        model = model_class().eval().requires_grad_(requires_grad=False).to(clip.device, dtype)
    facts = {
        "name": RIVALS[name],
        "format": number_format,
        "million_weights": million_weights(model),
    }
    video = clip.to(dtype)
    return Task(
        encode=lambda: model.encode(video).latent_dist.mode(),  # noqa: PLW0108  the encoding is the work
        decode=lambda latent: model.decode(latent).sample,
        facts=facts,
    )


def million_weights(model: nn.Module) -> float:
    """The number of weights, in millions."""
    return round(sum(parameter.numel() for parameter in model.parameters()) / 1e6, 2)


if __name__ == "__main__":
    main()
