"""What a tokenizer is worth to a generator: one recipe, equal iterations and seeds, several tokenizers.

    python experiments/multiplier.py -o runs/multiplier [--minutes 60] [--iterations 4000] [--seeds 0 1 2]
                                     [--arms NAME ...] [--also NAME=TOKENIZER[@CHANNELS] ...] [--only latents]
    python experiments/multiplier_page.py

Every arm trains the generator of its kind (`dit` on latents, `ar` on tokens) for as many iterations with each
seed, and is evaluated at a quarter, half, three quarters and the end of them. What is done lies in the folder
and is not done again; a run that is stopped, by `--minutes`, Ctrl-C or `kill`, goes on from its checkpoint
with the same command. Seeds come one after the other, so that all arms are about as far whenever it stops.
Figures go to `experiments/results/multiplier.json`, of which the second command makes the page.
"""

import argparse
import json
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from latent_diagnostics import diagnose
from torch import Tensor

from tubelet import checkpoint
from tubelet.errors import TubeletWarning
from tubelet.files import replacing
from tubelet.generate.checkpoint import read_generator
from tubelet.generate.dit.task import train_dit
from tubelet.generate.evaluation.evaluate import EvaluationOptions, evaluate_generator
from tubelet.generate.export import export_generator
from tubelet.generate.known_tokenizer import read_tokenizer
from tubelet.generate.scenes import SceneData
from tubelet.generate.tokens.task import train_tokens
from tubelet.recipes.generators import ar, dit
from tubelet.results import write_results
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.loop import RunOptions
from tubelet.train.run_folder import RUN_FILE
from tubelet.train.state import TrainState, checkpoints, read_numbers

PROTOCOL = (
    "multiplier-1: one recipe, equal iterations and seeds; latents by latent-diagnostics-1, clips by "
    "generation-2; see experiments/multiplier.py"
)
RESULTS = Path(__file__).parent / "results" / "multiplier.json"

POINTS = (0.25, 0.5, 0.75, 1.0)
"""Fractions of a run at which it is evaluated."""

WORSE = 0.75
"""Noise in the weights of a decoder that is made worse on purpose, in deviations of each matrix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A tokenizer that a generator is trained on.

    Attributes:
        name: of the arm.
        tokenizer: name or folder.
        channels: that are kept of a latent; all for none.
        worse: whether noise is added to the weights of its decoder.
    """

    name: str
    tokenizer: str
    channels: int | None = None
    worse: bool = False


ARMS = (
    Arm(name="klt-4x8x8@16", tokenizer="klt-4x8x8", channels=16),
    Arm(name="tubelet-image@4", tokenizer="tubelet-image", channels=4),
    Arm(name="tubelet-m16", tokenizer="tubelet-m16"),
    Arm(name="tubelet-predict", tokenizer="tubelet-predict"),
    Arm(name="tubelet-m16-worse", tokenizer="tubelet-m16", worse=True),
    Arm(name="tubelet-fsq", tokenizer="tubelet-fsq"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is the same for all arms.

    Attributes:
        folder: where everything lies.
        iterations: of every run.
        scenes: for the figures of latents.
        clips: rendered for training.
        prompts: of each kind, at each point.
    """

    folder: Path
    iterations: int
    scenes: int
    clips: int
    prompts: int


class OutOfTimeError(Exception):
    """The minutes are over; what was begun goes on from its checkpoint next time."""


def main() -> None:
    """Do what is not done yet, for as long as there is time, and collect the figures."""
    arguments = _parser().parse_args()
    deadline = time.monotonic() + 60 * arguments.minutes if arguments.minutes else float("inf")
    settings = Settings(
        folder=arguments.output,
        iterations=arguments.iterations,
        scenes=arguments.scenes,
        clips=arguments.clips,
        prompts=arguments.prompts,
    )
    known = {arm.name: arm for arm in (*ARMS, *map(_parsed_arm, arguments.also))}
    arms = [known[name] for name in arguments.arms or known]
    warnings.filterwarnings("ignore", category=TubeletWarning)
    try:
        for arm in arms:
            _latents(arm, settings)
        if arguments.only is None:
            for seed in arguments.seeds:
                for arm in arms:
                    _run(arm, seed, settings, deadline)
    except (OutOfTimeError, KeyboardInterrupt):
        print("stopped; the same command goes on.")
    finally:
        collect(settings, list(known.values()), arguments.results)


def collect(settings: Settings, arms: list[Arm], results: Path) -> None:
    """Write all figures that there are into one file."""
    found = {}
    for arm in arms:
        latents = _stored(_latents_file(arm, settings))
        if latents is not None:
            points = {seed: _points(folder) for seed, folder in _runs(arm, settings)}
            found[arm.name] = latents | {"runs": {seed: each for seed, each in points.items() if each}}
    same = {"iterations": settings.iterations, "prompts": settings.prompts, "clips": settings.clips}
    write_results(results, protocol=PROTOCOL, figures={"settings": same, "arms": found})
    print(results)


def tokenizer_of(arm: Arm, settings: Settings) -> str:
    """Where the tokenizer of an arm lies; one with fewer channels or a worse decoder is made first."""
    if arm.channels is None and not arm.worse:
        return arm.tokenizer
    folder = settings.folder / "tokenizers" / arm.name.replace("@", "-")
    if not (folder / "config.json").is_file():
        tokenizer = checkpoint.load(arm.tokenizer)
        if arm.channels is not None:
            tokenizer = _first_channels(tokenizer, arm.channels)
        if arm.worse:
            _add_noise(tokenizer)
        tokenizer.save(
            folder, card=f"# {arm.name}\n\nMade for an experiment of {arm.tokenizer}.\n", force=True
        )
    return str(folder)


def _latents(arm: Arm, settings: Settings) -> None:
    """Measure what the latents of an arm are like."""
    file = _latents_file(arm, settings)
    if file.is_file():
        return
    print(f"latents of {arm.name}", flush=True)
    known = read_tokenizer(tokenizer_of(arm, settings))
    about = {"tokenizer": arm.tokenizer, "channels": arm.channels, "worse": arm.worse, "sha256": known.sha256}
    _store(file, about | {"latents": diagnose(known, scenes=settings.scenes)})


def _run(arm: Arm, seed: int, settings: Settings, deadline: float) -> None:
    """Train an arm with a seed from where it is, and evaluate it at every point that it passes.

    Raises:
        OutOfTimeError: the deadline passed.
        KeyboardInterrupt: somebody stopped it.
    """
    folder = settings.folder / "runs" / f"{arm.name}-{seed}"
    for point in POINTS:
        wanted = round(point * settings.iterations)
        file = folder / f"point-{wanted:06d}.json"
        if file.is_file():
            continue
        _share_latents(arm, folder, settings)
        if _done(folder) < wanted:
            print(f"{arm.name}, seed {seed}: {_done(folder)} to {wanted} iterations", flush=True)
            state = _train(arm, seed, settings, _stop_at(wanted, deadline))
            if state.iteration < wanted:
                if time.monotonic() >= deadline:
                    raise OutOfTimeError
                raise KeyboardInterrupt
        _store(file, _evaluated(folder, settings))


def _train(arm: Arm, seed: int, settings: Settings, on_iteration: Callable[..., None]) -> TrainState:
    """A part of a run; it ends as `kill` ends one, or is done."""
    name, folder = tokenizer_of(arm, settings), settings.folder / "runs" / f"{arm.name}-{seed}"
    options = RunOptions(folder=folder, resume=(folder / RUN_FILE).is_file(), on_iteration=on_iteration)
    same = {
        "tokenizer": name, "seed": seed, "iterations": settings.iterations,
        "scenes": SceneData(clips=settings.clips),
    }  # fmt: skip
    if checkpoint.architecture(name) == "discrete":
        return train_tokens(replace(ar(), **same), data=None, options=options)
    return train_dit(replace(dit(), **same), data=None, options=options)


def _stop_at(iteration: int, deadline: float) -> Callable[..., None]:
    """Asks the run to stop, as `kill` does, at an iteration or a time; it writes a checkpoint then.

    It asks once: a second signal would end the run before that.
    """
    asked = False

    def look(_fraction: float, number: int, _figures: object) -> None:
        nonlocal asked
        if not asked and (number >= iteration or time.monotonic() >= deadline):
            asked = True
            os.kill(os.getpid(), signal.SIGTERM)

    return look


def _evaluated(folder: Path, settings: Settings) -> dict[str, Any]:
    """What the weights of the newest checkpoint make."""
    generator = export_generator(folder, folder / "generator", force=True)
    began = time.monotonic()
    figures = evaluate_generator(read_generator(generator), EvaluationOptions(count=settings.prompts))
    kept = {kind: {key: each[key] for key in each if key != "clips"} for kind, each in figures.items()}
    seconds = float(read_numbers(checkpoints(folder)[-1])["seconds"])
    same = {"iterations": settings.iterations, "clips": settings.clips}
    return {"iteration": _done(folder), "training_seconds": seconds, "settings": same} | kept | {
        "evaluation_seconds": time.monotonic() - began
    }  # fmt: skip


def _share_latents(arm: Arm, folder: Path, settings: Settings) -> None:
    """Let a run begin with the clips that another seed of the arm encoded."""
    folder.mkdir(parents=True, exist_ok=True)
    for _, other in _runs(arm, settings):
        for kind in ("latents", "digits"):
            if (other / f"{kind}.json").is_file() and not (folder / f"{kind}.json").exists():
                for name in (f"{kind}.npy", f"{kind}.json"):
                    (folder / name).unlink(missing_ok=True)
                    os.link(other / name, folder / name)


def _first_channels(tokenizer: ContinuousTokenizer, channels: int) -> ContinuousTokenizer:
    """The first channels as a tokenizer of its own."""
    made = ContinuousTokenizer.of(replace(tokenizer.config, channels=channels))
    made.load_weights(ContinuousTokenizer(tokenizer.model.narrowed(channels)).weights())
    return made.eval()


@torch.no_grad()
def _add_noise(tokenizer: ContinuousTokenizer) -> None:
    """Make the network of a decoder worse, by normal noise in its matrices; latents stay as they are."""
    generator = torch.Generator().manual_seed(0)
    weights: dict[str, Tensor] = dict(tokenizer.model.named_parameters())
    for name in sorted(weights):
        if name.startswith("decoder.") and weights[name].ndim > 1:
            noise = torch.randn(weights[name].shape, generator=generator)
            weights[name].add_(WORSE * weights[name].std() * noise)


def _done(folder: Path) -> int:
    """Iterations of a run that are done."""
    known = checkpoints(folder)
    return int(read_numbers(known[-1])["iteration"]) if known else 0


def _runs(arm: Arm, settings: Settings) -> Iterator[tuple[str, Path]]:
    """The folders of all runs of an arm, by seed."""
    for folder in sorted((settings.folder / "runs").glob(f"{arm.name}-*")):
        seed = folder.name.removeprefix(f"{arm.name}-")
        if seed.isdigit():
            yield seed, folder


def _points(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("point-*.json"))]


def _latents_file(arm: Arm, settings: Settings) -> Path:
    return settings.folder / "latents" / f"{arm.name}.json"


def _store(file: Path, content: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file, force=True) as beside:
        beside.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _stored(file: Path) -> dict[str, Any] | None:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _parsed_arm(text: str) -> Arm:
    """``NAME=TOKENIZER`` or ``NAME=TOKENIZER@CHANNELS``."""
    name, _, place = text.partition("=")
    tokenizer, _, channels = place.partition("@")
    if not name or not tokenizer or (channels and not channels.isdigit()):
        raise SystemExit(f"{text!r} is no arm; give NAME=TOKENIZER or NAME=TOKENIZER@CHANNELS.")
    return Arm(name=name, tokenizer=tokenizer, channels=int(channels) if channels else None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--minutes", type=float, help="how long at most, evaluation of the last run not counted"
    )
    parser.add_argument("--iterations", type=int, default=4000, help="of every run (default: 4000)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", metavar="NAME", help="some of them (default: all)")
    parser.add_argument(
        "--also",
        nargs="+",
        default=[],
        metavar="NAME=TOKENIZER[@CHANNELS]",
        help="further arms, such as a VAE",
    )
    parser.add_argument("--only", choices=["latents"], help="measure latents, and train nothing")
    parser.add_argument("--scenes", type=int, default=64, help="for the figures of latents (default: 64)")
    parser.add_argument("--clips", type=int, default=6000, help="rendered for training (default: 6000)")
    parser.add_argument("--prompts", type=int, default=64, help="of each kind, at each point (default: 64)")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE", help="of all figures")
    return parser


if __name__ == "__main__":
    main()
