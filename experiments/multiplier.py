"""What a tokenizer is worth to a generator: one recipe, equal iterations and seeds, several tokenizers.

    python experiments/multiplier.py -o runs/multiplier [--minutes 60] [--recipe small] [--iterations 900]
                                     [--seeds 0 1 2] [--arms NAME ...] [--also NAME=TOKENIZER[@CHANNELS] ...]
                                     [--only latents]
    python experiments/multiplier_page.py

Every arm trains the generator of its kind (`dit` on latents, `ar` on tokens) for as many iterations with each
seed, and is evaluated at some points of its way and at its end; what the recipe is,
`multiplier_recipe.py` says. An arm whose tokenizer differs from another's in its decoder alone has the same
latents, so it decodes what the generator of that arm makes. What is done lies in the folder
and is not done again; a run that is stopped, by `--minutes`, Ctrl-C or `kill`, goes on from its checkpoint
with the same command. Seeds come one after the other, so that all arms are about as far whenever it stops.
Figures go to `experiments/results/multiplier.json`, those of another recipe than `small` to a file with its
name; the second command makes the page of them.
"""

import argparse
import json
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from latent_diagnostics import diagnose
from multiplier_recipe import RECIPES, Recipe
from torch import Tensor

from tubelet import checkpoint
from tubelet.errors import TubeletWarning
from tubelet.files import replacing
from tubelet.files.marks import RUN_FILE
from tubelet.generate.checkpoint import TextToVideo, read_generator
from tubelet.generate.dit.sampler import FlowSampling
from tubelet.generate.dit.task import train_dit
from tubelet.generate.evaluation.evaluate import EvaluationOptions, evaluate_generator
from tubelet.generate.export import export_generator
from tubelet.generate.known_tokenizer import read_tokenizer
from tubelet.generate.tokens.task import train_tokens
from tubelet.results import write_results
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.loop import RunOptions
from tubelet.train.state import TrainState, checkpoints, read_numbers

PROTOCOL = (
    "multiplier-2: one recipe, equal iterations and seeds; latents by latent-diagnostics-1, clips by "
    "generation-2; see experiments/multiplier.py"
)
RESULTS = Path(__file__).parent / "results"

WORSE = 0.75
"""Noise in the weights of a decoder that is made worse on purpose, in deviations of each matrix."""

LATE = 2
"""Iterations that a run may go on after it was asked to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A tokenizer that a generator is trained on.

    Attributes:
        name: of the arm.
        tokenizer: name or folder.
        channels: that are kept of a latent; all for none.
        worse: whether noise is added to the weights of its decoder.
        latents_of: the arm that has the same latents, and whose generator it decodes; its own for none.
    """

    name: str
    tokenizer: str
    channels: int | None = None
    worse: bool = False
    latents_of: str | None = None


ARMS = (
    Arm(name="klt-4x8x8@16", tokenizer="klt-4x8x8", channels=16),
    Arm(name="tubelet-image@4", tokenizer="tubelet-image", channels=4),
    Arm(name="tubelet-m16", tokenizer="tubelet-m16"),
    Arm(name="tubelet-m16-worse", tokenizer="tubelet-m16", worse=True, latents_of="tubelet-m16"),
    Arm(name="tubelet-predict", tokenizer="tubelet-predict"),
    Arm(name="tubelet-fsq", tokenizer="tubelet-fsq"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is the same for all arms.

    Attributes:
        folder: where everything lies.
        recipe: of the generators, and what they are trained on.
        scenes: for the figures of latents.
    """

    folder: Path
    recipe: Recipe
    scenes: int

    @property
    def runs(self) -> Path:
        """Where the runs of the recipe lie."""
        return self.folder / self.recipe.name


class OutOfTimeError(Exception):
    """The minutes are over; what was begun goes on from its checkpoint next time."""


def main() -> None:
    """Do what is not done yet, for as long as there is time, and collect the figures."""
    arguments = _parser().parse_args()
    deadline = time.monotonic() + 60 * arguments.minutes if arguments.minutes else float("inf")
    changed = {name: getattr(arguments, name) for name in ("iterations", "clips", "prompts")}
    recipe = replace(
        RECIPES[arguments.recipe], **{name: value for name, value in changed.items() if value is not None}
    )
    settings = Settings(folder=arguments.output, recipe=recipe, scenes=arguments.scenes)
    known = {
        arm.name: arm
        for arm in (*ARMS, *map(_parsed_arm, arguments.also))
        if not recipe.arms or arm.name in recipe.arms
    }
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
        collect(settings, list(known.values()), arguments.results or results_of(recipe))


def results_of(recipe: Recipe) -> Path:
    """Where the figures of a recipe go."""
    return RESULTS / ("multiplier.json" if recipe.name == "small" else f"multiplier-{recipe.name}.json")


def collect(settings: Settings, arms: list[Arm], results: Path) -> None:
    """Write all figures that there are into one file."""
    found = {}
    for arm in arms:
        latents = _stored(_latents_file(arm, settings))
        if latents is not None:
            points = {seed: _points(folder) for seed, folder in _runs(arm, settings)}
            found[arm.name] = latents | {"runs": {seed: each for seed, each in points.items() if each}}
    write_results(results, protocol=PROTOCOL, figures={"settings": asdict(settings.recipe), "arms": found})
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
    about = {"tokenizer": known.name, "channels": arm.channels, "worse": arm.worse, "sha256": known.sha256}
    _store(file, about | {"latents": diagnose(known, scenes=settings.scenes)})


def _run(arm: Arm, seed: int, settings: Settings, deadline: float) -> None:
    """Train an arm with a seed from where it is, and evaluate it at every point that it passes.

    Raises:
        OutOfTimeError: the deadline passed.
        KeyboardInterrupt: somebody stopped it.
    """
    if arm.latents_of is not None:
        _decode_other(arm, seed, settings)
        return
    folder = settings.runs / f"{arm.name}-{seed}"
    for wanted in settings.recipe.points:
        file = folder / f"point-{wanted:06d}.json"
        if file.is_file() or _passed(_done(folder), wanted, settings.recipe.points):
            continue
        _share_latents(arm, folder, settings)
        if _done(folder) < wanted:
            print(f"{arm.name}, seed {seed}: {_done(folder)} to {wanted} iterations", flush=True)
            state = _train(arm, seed, settings, _stop_at(wanted, deadline))
            if state.iteration < wanted:
                if time.monotonic() >= deadline:
                    raise OutOfTimeError
                raise KeyboardInterrupt
        generator = export_generator(folder, folder / f"generator-{wanted:06d}", force=True)
        same = {
            "iteration": _done(folder),
            "training_seconds": float(read_numbers(checkpoints(folder)[-1])["seconds"]),
            "settings": asdict(settings.recipe),
        }
        _store(file, same | _evaluated(read_generator(generator), settings))


def _passed(done: int, wanted: int, points: Sequence[int]) -> bool:
    """Whether a run has gone beyond a point at which nobody looked: those weights are no more."""
    return wanted != points[-1] and done > wanted + LATE


def _decode_other(arm: Arm, seed: int, settings: Settings) -> None:
    """Evaluate the generators of the arm that has the same latents, with the decoder of this one."""
    tokenizer = read_tokenizer(tokenizer_of(arm, settings))
    for other in sorted((settings.runs / f"{arm.latents_of}-{seed}").glob("point-*.json")):
        file = settings.runs / f"{arm.name}-{seed}" / other.name
        if not file.is_file():
            model = read_generator(other.parent / other.stem.replace("point", "generator"))
            said = json.loads(other.read_text(encoding="utf-8"))
            same = {name: said[name] for name in ("iteration", "training_seconds", "settings")}
            _store(file, same | _evaluated(replace(model, tokenizer=tokenizer), settings))


def _train(arm: Arm, seed: int, settings: Settings, on_iteration: Callable[..., None]) -> TrainState:
    """A part of a run; it ends as `kill` ends one, or is done."""
    name, folder = tokenizer_of(arm, settings), settings.runs / f"{arm.name}-{seed}"
    options = RunOptions(folder=folder, resume=(folder / RUN_FILE).is_file(), on_iteration=on_iteration)
    if checkpoint.architecture(name) == "discrete":
        return train_tokens(settings.recipe.tokens(name, seed), data=None, options=options)
    return train_dit(settings.recipe.latents(name, seed), data=None, options=options)


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


def _evaluated(model: TextToVideo, settings: Settings) -> dict[str, Any]:
    """What a generator makes, and whether it does what prompts say."""
    began = time.monotonic()
    options = EvaluationOptions(
        count=settings.recipe.prompts,
        sampling=FlowSampling(steps=settings.recipe.sampling_steps) if model.network.kind == "dit" else None,
    )
    figures = evaluate_generator(model, options)
    kept = {kind: {key: each[key] for key in each if key != "clips"} for kind, each in figures.items()}
    return kept | {"evaluation_seconds": time.monotonic() - began}


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
    for folder in sorted(settings.runs.glob(f"{arm.name}-*")):
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
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--minutes", type=float, help="how long at most, evaluation of the last run not counted"
    )
    parser.add_argument(
        "--recipe", choices=RECIPES, default="small", help="of the generators (default: small)"
    )
    parser.add_argument("--iterations", type=int, help="of every run (default: the recipe's)")
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
    parser.add_argument("--clips", type=int, help="rendered for training (default: the recipe's)")
    parser.add_argument("--prompts", type=int, help="of each kind, at each point (default: the recipe's)")
    parser.add_argument("--results", type=Path, metavar="FILE", help="of all figures")
    return parser


if __name__ == "__main__":
    main()
