"""The queue of training runs: `python experiments/training_queue.py start m4 --time-limit 132m`.

A run goes on in the background, on a core of its own, in a worktree beside the checkout that has its own
`.venv`, so that nothing that is edited meanwhile touches it. What it needs is made when it is missing: the
worktree, its `.venv`, and the prepared crops (ten minutes, 8 GB). In this order:

    python experiments/training_queue.py status                      # what is queued, what runs, how far
    python experiments/training_queue.py start m4 --time-limit 132m  # annealed to zero at the end of it
    python experiments/training_queue.py pause m4                    # around a measurement
    python experiments/training_queue.py continue m4
    python experiments/training_queue.py export m4                   # averaged weights, beside the run
    python experiments/training_queue.py evaluate m4                 # on clips that no run learns from

Which entry is next, and what each hour gave, stands in docs/lab-log.md.
"""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
BESIDE = HERE.parent / "train"
"""The worktree of the runs."""

CLIPS = HERE.parent / "shared" / "data" / "train"
NETS = HERE.parent / "shared" / "nets"

CHANNELS = (4, 8, 16, 32, 64)
"""How many are kept where a run and its floor are evaluated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A run that is queued.

    Attributes:
        recipe: of `tubelet train`.
        start: trained weights to go on from; none starts from the linear floor.
        options: other options of `tubelet train`.
        floor: the linear tokenizer that `evaluate` compares with.
        why: what it is for.
    """

    recipe: str
    start: str | None = None
    options: str = ""
    floor: str = "klt-4x8x8"
    why: str


_BUDGETS = "--prefixes.maps 0.1 --prefixes.blocks 0.1 --prefixes.budgets 0.2 --quantized 0.33"
_VGG = NETS / "hed-vgg16-lpips.safetensors"
_VGG_SHA256 = "5a3cdf955995bf38fd710df41d0c8e5d46109113b609275910207101f6692c92"

QUEUE = {
    "m4": Entry(
        recipe="m",
        start="tubelet-m",
        options="--optimizer.lr 1e-3 --seed 3 --losses.log_difference 0.03 --prefixes.weights 3 2 8 3 1 3 "
        f"{_BUDGETS} --stages.0.until 0.35 --stages.1.until 0.75 --stages.2.side 144",
        why="tubelet-m once more, with maps of counts, budgets and rounded latents",
    ),
    "rate": Entry(
        recipe="m_rate",
        why="tubelet-m for files: bits in the loss; judged by rate_distortion.py, wanted -10 % at 0.15 dB",
    ),
    "motion": Entry(
        recipe="motion",
        start="tubelet-motion",
        floor="klt-4x8x8-motion",
        why="networks along motion; wanted 0.7 dB over tubelet-m of equal hours at 16 channels",
    ),
    "perceptual": Entry(
        recipe="m_perceptual",
        start="tubelet-m",
        options=f"--optimizer.lr 7e-4 --seed 4 --perceptual {_VGG} --perceptual_sha256 {_VGG_SHA256} "
        "--losses.perceptual 3 --losses.perceptual_frames 2 --losses.log_difference 0.03 "
        "--prefixes.weights 2 2 8 3 1 3 --optimizer.ema 0.99 --stages.0.encoder false "
        "--stages.1.until 0.9 --stages.2.frames 17 --stages.2.batch 2 --stages.2.side 128 "
        "--stages.2.adversarial 0",  # on a core of a CPU an adversarial iteration takes a minute
        why="a decoder for looking at: perceptual distance; with a GPU a discriminator at the end",
    ),
    "fsq": Entry(
        recipe="fsq",
        start="tubelet-fsq",
        options="--optimizer.lr 1e-3 --quantizer.entropy_weight 0.2 --seed 1",
        why="tokens: 25.13 dB at 86 % usage, wanted 26.5 at 85 %",
    ),
    "fsq-deep": Entry(
        recipe="fsq_deep",
        start="tubelet-fsq-deep",
        options="--optimizer.lr 1e-3 --seed 1",
        floor="klt-8x16x16",
        why="an eighth of the positions: 22.50 dB, wanted 23.5",
    ),
}


def main() -> None:
    """Do what the command line says."""
    arguments = _parser().parse_args()
    match arguments.action:
        case "status":
            for name, entry in QUEUE.items():
                print(f"{name:<12}{_state(name):<60}{entry.why}")
        case "start":
            _start(arguments.name, arguments.time_limit, cores=arguments.cores)
        case "pause":
            os.kill(_living(arguments.name), signal.SIGSTOP)
        case "continue":
            os.kill(_living(arguments.name), signal.SIGCONT)
        case "export":
            _tubelet("export-checkpoint", str(_folder(arguments.name)), "-o", str(_weights(arguments.name)))
        case "evaluate":
            _evaluate(arguments.name, QUEUE[arguments.name])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("status")
    for action in ("start", "pause", "continue", "export", "evaluate"):
        each = actions.add_parser(action)
        each.add_argument("name", choices=QUEUE)
        if action == "start":
            each.add_argument("--time-limit", required=True, help="such as 130m; the run is annealed to it")
            each.add_argument("--cores", default="1", help="numbers of the cores it may use, such as 0,1")
    return parser


def _start(name: str, time_limit: str, *, cores: str) -> None:
    """Start a run that outlives this command, or go on with one that was interrupted."""
    if _process(name) is not None:
        raise SystemExit(f"{name} runs already, as process {_process(name)}.")
    _make_worktree()
    data = BESIDE / "runs" / "data"
    if not (data / "index.json").exists():
        subprocess.run(
            [_python(), "scripts/prepare_shipped.py", str(CLIPS), str(data)], cwd=BESIDE, check=True
        )
    entry = QUEUE[name]
    command = ["taskset", "-c", cores, str(BESIDE / ".venv/bin/tubelet"), "train", entry.recipe]
    command += ["--data", str(data), "-o", str(_folder(name)), "--time-limit", time_limit]
    command += [] if entry.start is None else ["--start", entry.start]
    command += shlex.split(entry.options) + (["--resume"] if (_folder(name) / "run.json").exists() else [])
    threads = str(len(cores.split(",")))
    with (BESIDE / "runs" / f"{name}.log").open("a") as log:
        process = subprocess.Popen(
            command,
            cwd=BESIDE,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"OMP_NUM_THREADS": threads},
            start_new_session=True,
        )
    (BESIDE / "runs" / f"{name}.pid").write_text(f"{process.pid}\n")
    print(f"{name} is process {process.pid}; its log is {log.name}")


def _make_worktree() -> None:
    """The worktree at the commit of this checkout, and its `.venv`."""
    if not BESIDE.exists():
        subprocess.run(["git", "worktree", "add", "--detach", str(BESIDE), "HEAD"], cwd=HERE, check=True)
    subprocess.run(["make", ".venv/.installed"], cwd=BESIDE, check=True, stdout=subprocess.DEVNULL)
    (BESIDE / "runs").mkdir(exist_ok=True)


def _state(name: str) -> str:
    """How far a run is, in words."""
    log, weights = _folder(name) / "log.jsonl", _weights(name)
    if not log.exists():
        return "not begun"
    last = _last_iteration(log)
    if last is None:
        return "starting"
    process = _process(name)
    doing = "exported" if weights.exists() else "stopped" if process is None else f"process {process}"
    age = time.time() - log.stat().st_mtime
    hours = last["seconds"] / 3600
    return f"{doing}, iteration {last['iteration']}, {hours:.2f} h, last one {age:.0f} s ago"


def _last_iteration(log: Path) -> dict[str, float] | None:
    """The line of the newest iteration; other lines say how the run began."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return next((line for line in reversed(lines) if "iteration" in line), None)


def _process(name: str) -> int | None:
    """The process of a run that is alive."""
    file = BESIDE / "runs" / f"{name}.pid"
    if not file.exists():
        return None
    number = int(file.read_text())
    command = Path(f"/proc/{number}/cmdline")
    return number if command.exists() and b"tubelet" in command.read_bytes() else None


def _living(name: str) -> int:
    process = _process(name)
    if process is None:
        raise SystemExit(f"{name} does not run.")
    return process


def _evaluate(name: str, entry: Entry) -> None:
    """Figures on the clips of the training folder that no run learns from, beside the linear floor's."""
    held_out = BESIDE / "runs" / "held-out"
    if not held_out.exists():
        sys.path.insert(0, str(BESIDE / "scripts"))
        from fit_shipped import training_clips  # noqa: PLC0415  a script beside the runs, not a module

        from tubelet.data.clips import find_clips  # noqa: PLC0415

        held_out.mkdir()
        for clip in set(find_clips(CLIPS)) - set(training_clips(CLIPS)):
            (held_out / clip.name).symlink_to(clip)
    floor = entry.floor
    systems = [str(_weights(name))]
    if entry.recipe.startswith("m"):
        systems = [f"{each}@{channels}" for each in (*systems, floor) for channels in CHANNELS]
    _tubelet("evaluate", str(held_out), "--with", *systems, "-o", str(BESIDE / "runs" / f"{name}-held-out"))


def _tubelet(*words: str) -> None:
    subprocess.run([str(BESIDE / ".venv/bin/tubelet"), *words], check=True)


def _python() -> str:
    return str(BESIDE / ".venv/bin/python")


def _folder(name: str) -> Path:
    return BESIDE / "runs" / name


def _weights(name: str) -> Path:
    return BESIDE / "runs" / f"{name}-weights"


if __name__ == "__main__":
    main()
