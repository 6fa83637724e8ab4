"""How well a generator does what its prompts say, read from pixels alone; beside floor and ceiling."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, permutations
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from tubelet.data.scenes import Scene, Thing
from tubelet.errors import OptionError
from tubelet.generate.checkpoint import TextToVideo
from tubelet.generate.evaluation.clip_sets import ClipSet
from tubelet.generate.evaluation.distances import nearest_training_distances
from tubelet.generate.evaluation.losses import losses_of
from tubelet.generate.evaluation.parse import ParsedThing
from tubelet.generate.kinds import KINDS as GENERATOR_KINDS
from tubelet.generate.kinds import Sampling, sample
from tubelet.generate.known_tokenizer import continuous_of, decodable, encode_frames
from tubelet.generate.prompts import Prompts
from tubelet.generate.scenes import SceneData
from tubelet.generate.text import AND, meaningful_words
from tubelet.metrics.frechet import VideoFeatures
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Frames, Latent
from tubelet.video.pixels import from_model

PROTOCOL = (
    "generation-2: prompts of rendered scenes that no training saw, one clip each; colour, shape, direction, "
    "speed and number of things read from pixels by fixed rules; floor: each clip against all other prompts; "
    "ceiling: the scenes themselves through the tokenizer; losses at fixed seeds, times and hidden digits; "
    "flicker of the ground, Fréchet distance of what the rules read, distance from the nearest training clip"
)

ATTRIBUTES = ("colour", "shape", "direction", "speed", "count")

KINDS = ("seen", "held-out")
"""Combinations of colour, shape and direction that training has, and those that it must not have."""

MOST_THINGS = 3
"""In a clip that is checked."""

MOVED = "colour and direction"
"""The share of clips in which both are right of every thing."""

_SEED = 1_000_003
"""Of the scenes; recipes train on those of others."""

_SPEED_ERROR = 0.25
_AT_ONCE = 16
_TIMES = tuple((number + 0.5) / 8 for number in range(8))
_PATIENCE = 400
"""Scenes for each prompt that are looked through for one whose words the generator knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationOptions:
    """How an evaluation is done.

    Attributes:
        count: prompts of each kind.
        seed: of the first clip; the next ones have the next.
        things: in each scene.
        strips: clips of each kind that are kept as a strip of frames.
        run: folder of the generator's training, to see how far clips are from those; none to leave that out.
        sampling: how clips are made; as generators of the kind usually do for none.
    """

    count: int = 64
    seed: int = 0
    things: int = 1
    strips: int = 0
    run: Path | None = None
    sampling: Sampling | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.things <= MOST_THINGS:
            raise OptionError(f"things are {self.things} in each clip; there are 1 to {MOST_THINGS}.")
        if not 2 <= self.count <= 10_000 or min(self.seed, self.strips) < 0:
            raise OptionError(
                f"count is {self.count}, seed {self.seed} and strips {self.strips}; there are 2 to 10000 "
                "prompts, and the others are not negative."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A clip against what it should show.

    Attributes:
        right: fraction of the things of which each attribute is right.
        things: what was found in it.
    """

    right: dict[str, float]
    things: list[ParsedThing]

    @property
    def all_right(self) -> bool:
        """Whether everything is."""
        return all(share == 1 for share in self.right.values())


def evaluate_generator(
    model: TextToVideo,
    options: EvaluationOptions,
    *,
    features: Mapping[str, VideoFeatures] = MappingProxyType({}),
    on_clips: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Let a generator make clips of prompts whose truth is known, and check them.

    Args:
        model: the generator.
        options: how.
        features: networks for Fréchet video distances between the clips and the scenes, by name of the
            figure; none are measured without them.
        on_clips: called with the number of clips that were made, a few at a time.

    Returns:
        By kind of prompts: the share of things of which each attribute is right (``right``), and of clips in
        which colour and direction, or all, are right of every thing; the same of the floor and the ceiling;
        what sets of clips have (``distances``); the losses; and each clip with its prompt, seed and what was
        found.

    Raises:
        OptionError: the generator does not know the words of rendered scenes.
        ShapeError: its clips are too short or too small for one of the networks.
    """
    return {kind: _evaluate(model, options, kind, features, on_clips) for kind in KINDS}


def check_clip_of(things: Sequence[ParsedThing], wanted: Sequence[Thing]) -> Checked:
    """Compare what was found in a clip with the things that should be there.

    Things are paired with found ones so that most is right; what is missing has nothing right.
    """
    candidates: list[ParsedThing | None] = [*things, *([None] * max(0, len(wanted) - len(things)))]
    right = [[_right(found, thing) for thing in wanted] for found in candidates]
    pairings = permutations(range(len(candidates)), len(wanted))
    best = max(
        pairings, key=lambda chosen: sum(sum(right[at][place].values()) for place, at in enumerate(chosen))
    )
    pairs = [right[at][place] for place, at in enumerate(best)]
    shares = {name: sum(each[name] for each in pairs) / len(wanted) for name in ATTRIBUTES[:-1]}
    shares["count"] = float(len(things) == len(wanted))
    return Checked(right={name: round(share, 6) for name, share in shares.items()}, things=list(things))


def _right(found: ParsedThing | None, wanted: Thing) -> dict[str, bool]:
    if found is None:
        return dict.fromkeys(ATTRIBUTES[:-1], False)
    speed = wanted.motion.speed
    return {
        "colour": found.colour == wanted.appearance.colour,
        "shape": found.shape == wanted.appearance.name,
        "direction": found.direction == wanted.motion.direction,
        "speed": abs(found.speed - speed) <= _SPEED_ERROR * speed,
    }


def _evaluate(
    model: TextToVideo,
    options: EvaluationOptions,
    kind: str,
    features: Mapping[str, VideoFeatures],
    on_clips: Callable[[int], None],
) -> dict[str, Any]:
    scenes = prompts_of(model, options, kind)
    fps = model.network.config.fps
    true, made, back = (ClipSet(features) for _ in range(3))
    losses: list[dict[str, float]] = []
    for start in range(0, len(scenes), _AT_ONCE):
        some = scenes[start : start + _AT_ONCE]
        seeds = [options.seed + start + index for index in range(len(some))]
        encoded = _encoded(model, some)
        for latent, own in (
            (_generated(model, some, seeds, options.sampling), made),
            (decodable(model.tokenizer, encoded), back),
        ):
            clips = decoded_clips(model, latent)
            own.add(clips, fps=fps)
            if own is made:
                made.keep_strips(clips, most=options.strips)
            if options.run is not None:
                own.nearest += nearest_training_distances(model, options.run, latent)
        true.add([scene.frames() for scene in some], fps=fps)
        losses += losses_of(model, _words(model, some), encoded)
        on_clips(len(some))
    checked, ceiling = (
        [check_clip_of(things, scene.things) for things, scene in zip(own.parsed, scenes, strict=True)]
        for own in (made, back)
    )
    floor = [
        check_clip_of(made.parsed[index], scenes[(index + shift) % len(scenes)].things)
        for index in range(len(scenes))
        for shift in range(1, len(scenes))
    ]
    return {
        "prompts": len(scenes),
        "right": _shares(checked),
        "floor": _shares(floor),
        "ceiling": _shares(ceiling),
        "distances": {"made": made.distances(true), "ceiling": back.distances(true)},
        **{name: float(np.mean([each[name] for each in losses])) for name in losses[0]},
        "clips": [
            {
                "prompt": scene.caption,
                "seed": options.seed + index,
                "right": each.right,
                **({"strip": made.strips[index]} if index < len(made.strips) else {}),
                "found": [asdict(thing) for thing in each.things],
            }
            for index, (scene, each) in enumerate(zip(scenes, checked, strict=True))
        ],
    }


def prompts_of(model: TextToVideo, options: EvaluationOptions, kind: str) -> list[Scene]:
    """Scenes of the length and size that a generator was trained on, and whose words it knows.

    Raises:
        OptionError: there are none.
    """
    config, tokenizer = model.network.config, continuous_of(model.tokenizer)
    data = SceneData(
        frames=tokenizer.grouping.first_frame(config.steps),
        fps=config.fps,
        height=config.rows * tokenizer.stride.h,
        width=config.columns * tokenizer.stride.w,
        things=options.things,
        seed=_SEED,
    )
    known = {*config.words, AND}
    looked = islice(data.all_scenes("seen" if kind == "seen" else "held-out"), _PATIENCE * options.count)
    fitting = (scene for scene in looked if set(meaningful_words(scene.caption)) <= known)
    scenes = list(islice(fitting, options.count))
    if len(scenes) < options.count:
        raise OptionError(
            f"{model.name} knows the words of {len(scenes)} of {options.count} prompts of rendered scenes; "
            "only generators that were trained on such can be evaluated."
        )
    return scenes


def _generated(
    model: TextToVideo, scenes: Sequence[Scene], seeds: Sequence[int], sampling: Sampling | None
) -> Latent:
    """Latents of clips of the captions of scenes."""
    config = model.network.config
    made = sample(
        model.network, _words(model, scenes), seeds=seeds, shape=(config.steps, config.rows, config.columns),
        sampling=sampling,
    )  # fmt: skip
    return GENERATOR_KINDS[model.network.kind].to_latent(model.tokenizer, made)


def _words(model: TextToVideo, scenes: Sequence[Scene]) -> Prompts:
    return model.prompts.read([scene.caption for scene in scenes])


@torch.no_grad()
def _encoded(model: TextToVideo, scenes: Sequence[Scene]) -> torch.Tensor:
    return encode_frames(model.tokenizer, np.stack([scene.frames() for scene in scenes]))


@torch.no_grad()
def decoded_clips(model: TextToVideo, latent: Latent) -> list[Frames]:
    """Clips of the length and size that a generator was trained on, from their latents."""
    tokenizer: ContinuousTokenizer = continuous_of(model.tokenizer)
    config, stride = model.network.config, tokenizer.stride
    video = tokenizer.decode(
        latent.to(tokenizer.device, tokenizer.dtype),
        frames=tokenizer.grouping.first_frame(config.steps),
        height=config.rows * stride.h,
        width=config.columns * stride.w,
    )
    return [from_model(clip[None]) for clip in video]


def _shares(checked: Sequence[Checked]) -> dict[str, float]:
    """The mean of what is right; the shares of clips in which colours and motions are, and all is."""
    shares = {name: float(np.mean([each.right[name] for each in checked])) for name in ATTRIBUTES}
    moved = [each.right["colour"] == each.right["direction"] == 1 for each in checked]
    return shares | {
        MOVED: float(np.mean(moved)),
        "all": float(np.mean([each.all_right for each in checked])),
    }
