"""What encoding a data set costs, and that killing it changes nothing.

    python experiments/bulk.py -o experiments/results/bulk.json                 all of it, 1,000 clips
    python experiments/bulk.py -o bulk.json --parts plan reading --clips 200

Each part adds its figures to the file. Clips are rendered by `tubelet scenes`. A machine that is shared says
little by the clock, so CPU time of all processes of a command stands beside it; what a part asks for is in
`docs/guides/datasets.md`.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch

from tubelet.data.latent_dataset import LatentDataset
from tubelet.generate.dit.config import DiTConfig
from tubelet.generate.dit.network import DiT
from tubelet.jobs.bulk.encode_batch import batches_of
from tubelet.jobs.bulk.plan import PlannedClip, plan_clips
from tubelet.jobs.bulk.settings import BulkSettings, read_checkpoint
from tubelet.jobs.bulk.worker import Worker
from tubelet.jobs.sources import read_sources
from tubelet.results import write_results
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.video.read import open_video

TOKENIZER = "tubelet-s"
QUICK = ("--tokenizer", TOKENIZER, "--shard-size", "2MB")

ROWS = 100_000
KILLS = 5
BATCH = 16
FILES = 300
USUAL = 20
BATCHES = (1, 8)
ALIKE = 160
TURNS = 8


# A process of its own, because a child begins with the memory of the process that it was forked from.
_USAGE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print([used.ru_utime + used.ru_stime, used.ru_maxrss])
"""


class Ended(NamedTuple):
    """What a command took: seconds by the clock and of all processes, and the most memory of one."""

    seconds: float
    cpu_seconds: float
    mebibytes: float


class Place(NamedTuple):
    """Where clips lie, how many they are, and where to work."""

    clips: Path
    total: int
    folder: Path


def command(*words: object) -> list[str]:
    """A command of this package."""
    return [sys.executable, "-m", "tubelet", *map(str, words)]


def took(*words: object) -> Ended:
    """Run a command to its end."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _USAGE, *command(*words)], stdout=subprocess.PIPE, check=True
    )
    cpu, kibibytes = json.loads(done.stdout)
    return Ended(round(time.monotonic() - began, 2), round(cpu, 2), round(kibibytes / 1024, 1))


def encode(place: Place, out: str, *more: object) -> list[object]:
    """The words of a command that encodes all clips with a small tokenizer."""
    return ["encode-dataset", place.clips, "-o", place.folder / out, *QUICK, *more]


def shards(folder: Path) -> dict[str, bytes]:
    """The shards of a data set and their indices."""
    return {path.name: path.read_bytes() for path in sorted((folder / "shards").iterdir())}


def workers(place: Place) -> dict[str, object]:
    """One process and two, the same bytes: of clips as `tubelet scenes` makes them, and of tiny ones."""
    usual = place.folder / "scenes"
    if not usual.exists():
        took("scenes", "-o", usual, "--count", place.total)
    return {
        "asked": "two workers at least 1.8 times as fast as one",
        "clips": place.total,
        "usual": by_workers(usual, place.folder, "usual"),
        "tiny": by_workers(place.clips, place.folder, "", *QUICK),
    }


def by_workers(clips: Path, folder: Path, name: str, *given: object) -> dict[str, object]:
    """What the clips of a folder take one process and two; and one clip, nearly all of it starting."""

    def encoded(source: Path, out: str, count: int) -> Ended:
        shutil.rmtree(folder / out, ignore_errors=True)
        return took("encode-dataset", source, "-o", folder / out, *given, "--workers", count)

    start = encoded(min(clips.glob("*.m??")), f"{name}start", 1)
    one, two = (encoded(clips, f"{name}{out}", count) for out, count in (("one", 1), ("two", 2)))
    return {
        "start": start._asdict(),
        "one": one._asdict(),
        "two": two._asdict(),
        "speed_up_by_the_clock": round(one.seconds / two.seconds, 2),
        "speed_up_of_idle_cores": round(2 * one.cpu_seconds / two.cpu_seconds, 2),
        "load": os.getloadavg()[0],
        "same_bytes": shards(folder / f"{name}one") == shards(folder / f"{name}two"),
    }


def overhead(place: Place) -> dict[str, object]:
    """What a clip costs beyond reading it and the tokenizer: tiny clips, and some of 33 frames of 128x128."""
    usual = place.folder / "usual"
    if not usual.exists():
        took("scenes", "-o", usual, "--count", USUAL, "--size", "128x128")
    return {
        "asked": "at most 10 % over the bare tokenizer",
        "tiny": beside_tokenizer(place, place.clips),
        "usual": beside_tokenizer(place, usual),
    }


def beside_tokenizer(place: Place, folder: Path) -> dict[str, object]:
    """CPU time of one process for the clips of a folder: reading and the tokenizer alone, and all of it."""
    torch.set_num_threads(1)
    settings = BulkSettings(tokenizer=TOKENIZER)
    clips = plan_clips(read_sources([str(folder)]), mirror=False)[:200]
    worker = Worker(settings, read_checkpoint(settings))
    tokenizer = read_checkpoint(settings).tokenizer
    assert isinstance(tokenizer, ContinuousTokenizer)

    def bare(path: str) -> None:
        encoder = tokenizer.stream_encoder()
        with open_video(Path(path)) as video:
            for run in video.runs(run=32):
                encoder.push_frames(run.frames)
            encoder.finish()

    def of(work: Callable[[], object]) -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    alone, whole = [], []
    for clip in clips:
        request = request_of(place, clip)
        alone.append(of(partial(bare, clip.source.path)))
        whole.append(of(partial(worker.do, request)))
    return {
        "clips": len(clips),
        "bare_ms": round(1000 * sum(alone) / len(clips), 2),
        "worker_ms": round(1000 * sum(whole) / len(clips), 2),
        "overhead_of_medians": round(median(whole) / median(alone) - 1, 4),
    }


def request_of(place: Place, clip: PlannedClip) -> dict[str, Any]:
    """What a worker is asked: to encode a clip into a part of its own."""
    part = place.folder / "parts" / f"{clip.key}.part"
    part.parent.mkdir(exist_ok=True)
    return {"clip": clip.to_json(), "part": str(part), "made_from": ""}


def batches(place: Place) -> dict[str, object]:
    """CPU time of one process for a clip, encoded by itself and in batches, with what batches lack."""
    usual = place.folder / "alike"
    if not usual.exists():
        took("scenes", "-o", usual, "--count", ALIKE, "--size", "128x128", "--frames", 17)
    return {"tiny": by_batch(place, place.clips), "usual": by_batch(place, usual)}


def by_batch(place: Place, folder: Path) -> dict[str, object]:
    """Milliseconds of a clip by the number of clips of a batch; the numbers take turns."""
    torch.set_num_threads(1)
    clips = plan_clips(read_sources([str(folder)]), mirror=False)

    def work(worker: Worker, chosen: list[int]) -> float:
        requests = [request_of(place, clips[number]) for number in chosen]
        began = time.process_time()
        worker.do({"batch": requests})
        return time.process_time() - began

    spent = dict.fromkeys(BATCHES, 0.0)
    waiting, workers_ = {}, {}
    for batch in BATCHES:
        settings = BulkSettings(tokenizer=TOKENIZER, batch=batch)
        workers_[batch] = Worker(settings, read_checkpoint(settings))
        waiting[batch] = list(batches_of([clip.key for clip in clips], batch))
    for turn in range(TURNS):
        for batch, several in waiting.items():
            spent[batch] += sum(work(workers_[batch], chosen) for chosen in several[turn::TURNS])
    return {"clips": len(clips)} | {
        f"ms_of_a_clip_in_batches_of_{batch}": round(1000 * seconds / len(clips), 2)
        for batch, seconds in spent.items()
    }


def plan(place: Place) -> dict[str, object]:
    """A list of many rows, none of which is opened but some."""
    listed = place.folder / "list.csv"
    lines = [
        f"clips/{number:06d}.mp4,{number % 7},{number % 7 + 5},clip {number}\n" for number in range(ROWS)
    ]
    listed.write_text("path,start,end,caption\n" + "".join(lines), encoding="utf-8")
    took_ = took(
        "encode-dataset", listed, "-o", place.folder / "none", "--dry-run", "--tokenizer", "klt-4x8x8"
    )
    return {"asked": "at most 10 s and 500 MB", "rows": ROWS, **took_._asdict()}


def reading(place: Place) -> dict[str, object]:
    """Batches of latents, beside an iteration of a diffusion transformer of 5 million weights on them."""
    torch.set_num_threads(1)
    folder = place.folder / "two"
    if not folder.exists():
        took(*encode(place, "two", "--workers", 2))
    dataset = LatentDataset(folder, batch=BATCH)
    began, batches = time.process_time(), 0
    for batch in dataset:
        batches += len(batch.keys) == BATCH
    read = (time.process_time() - began) / max(1, batches)
    latent = next(iter(dataset)).latent
    latent = latent[..., : latent.shape[3] // 2 * 2, : latent.shape[4] // 2 * 2]
    channels, steps, rows, columns = latent.shape[1:]
    numbers = DiTConfig(
        name="dit", tokenizer=TOKENIZER, tokenizer_sha256="", channels=channels, steps=steps, rows=rows,
        columns=columns, fps=24.0, words=("a", "red", "circle"),
    )  # fmt: skip
    network = DiT(numbers, seed=0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    words = torch.zeros(len(latent), numbers.slots, dtype=torch.int64)
    times, given = torch.rand(len(latent)), torch.zeros(len(latent), dtype=torch.int64)
    spent = []
    for _ in range(4):
        began = time.process_time()
        velocity = network(latent, times, words, given, lead=True)
        (velocity - latent).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        spent.append(time.process_time() - began)
    step = median(spent[1:])
    return {
        "asked": "at least 10 times as fast as the training iteration",
        "shape": list(latent.shape),
        "million_weights": round(sum(each.numel() for each in network.parameters()) / 1e6, 2),
        "read_ms": round(1000 * read, 2),
        "iteration_ms": round(1000 * step, 1),
        "ratio": round(step / read, 1),
    }


def children(process: int) -> list[int]:
    """All processes below one."""
    found: list[int] = []
    waiting = [process]
    while waiting:
        for path in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            below = [int(each) for each in path.read_text().split()]
            found, waiting = found + below, waiting + below
    return found


def kills(place: Place) -> dict[str, object]:
    """Kill a run of two workers at random, the driver each time and a worker before every other time."""
    chance, folder = random.Random(0), place.folder / "killed"
    shutil.rmtree(folder, ignore_errors=True)
    words, done = encode(place, "killed", "--workers", 2), []
    for kill in range(KILLS):
        driver = subprocess.Popen(command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = len(list(folder.glob("work/*/*.part")))
        while len(list(folder.glob("work/*/*.part"))) == before and driver.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 8))
        if kill % 2 and (there := children(driver.pid)):
            os.kill(chance.choice(there), signal.SIGKILL)
            time.sleep(chance.uniform(0, 4))
        done.append(driver.poll() is None)
        driver.kill()
        driver.wait()
    took(*words)
    if not (place.folder / "two").exists():
        took(*encode(place, "two", "--workers", 2))
    return {
        "asked": "the bytes of a run that nothing disturbed",
        "clips": place.total,
        "kills_that_hit_a_run": sum(done),
        "same_bytes": shards(folder) == shards(place.folder / "two"),
    }


def ray(place: Place) -> dict[str, object]:
    """Two actors of Ray, one of which is killed; the driver goes on."""
    if find_spec("ray") is None:
        return {"skipped": "the extra `ray` is not installed"}
    folder = place.folder / "ray"
    shutil.rmtree(folder, ignore_errors=True)
    words = encode(place, "ray", "--workers", 2, "--engine", "ray")
    driver = subprocess.Popen(command(*words), stdout=subprocess.DEVNULL)
    while not list(folder.glob("work/*/*.part")) and driver.poll() is None:
        time.sleep(0.01)

    def is_actor(process: int) -> bool:
        return b"BulkActor" in Path(f"/proc/{process}/cmdline").read_bytes()

    actor = next(each for each in children(driver.pid) if is_actor(each))
    os.kill(actor, signal.SIGKILL)
    code = driver.wait()
    if not (place.folder / "two").exists():
        took(*encode(place, "two", "--workers", 2))
    return {
        "asked": "two actors, one killed: the bytes of processes",
        "clips": place.total,
        "exit_code": code,
        "same_bytes": shards(folder) == shards(place.folder / "two"),
    }


def memory(place: Place) -> dict[str, object]:
    """The most memory of a command on few and on many files, and on frames of 1080 rows."""
    paths = sorted(place.clips.glob("*.mp4")) or sorted(place.clips.glob("*.mkv"))
    few, many = place.folder / "few.txt", place.folder / "many.txt"
    for listed, chosen in ((few, paths[:10]), (many, paths[:FILES])):
        listed.write_text("".join(f"{path}\n" for path in chosen), encoding="utf-8")
    given = ("--tokenizer", TOKENIZER, "--no-prior")
    of_few = took("encode", few, "-o", place.folder / "few", *given)
    of_many = took("encode", many, "-o", place.folder / "many", *given)
    took("scenes", "-o", place.folder / "large", "--count", 1, "--size", "1920x1080", "--frames", 9)
    large = next((place.folder / "large").glob("*.mp4"), None) or next((place.folder / "large").glob("*.mkv"))
    full = took("reconstruct", large, "-o", place.folder / "back.mkv", "--tokenizer", "tubelet-m")
    return {
        "asked": "flat over the number of files; what networks remember counts into --memory (1 GiB)",
        "encode_10_files": of_few._asdict(),
        f"encode_{len(paths[:FILES])}_files": of_many._asdict(),
        "reconstruct_9_frames_of_1920x1080_tubelet_m": full._asdict(),
    }


PARTS = {each.__name__: each for each in (plan, workers, overhead, batches, reading, kills, ray, memory)}


def main() -> None:
    """Measure what is asked for, and add it to the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--clips", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--folder", type=Path, help="to work in, and keep (default: a temporary one)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        clips = folder / "clips"
        if not clips.exists():
            took("scenes", "-o", clips, "--count", arguments.clips, "--size", "80x64", "--frames", 9)
        place = Place(clips, arguments.clips, folder)
        for name in arguments.parts:
            found = PARTS[name](place)
            print(name, json.dumps(found), flush=True)
            figures = {}
            if arguments.output.exists():
                figures = json.loads(arguments.output.read_text(encoding="utf-8"))["figures"]
            write_results(
                arguments.output,
                protocol=f"experiments/bulk.py, {TOKENIZER}",
                figures=figures | {name: found},
            )


if __name__ == "__main__":
    main()
