"""What a diffusion transformer makes of its prompts, and when: its loss with prompts that are wrong.

    python experiments/prompt_use.py GENERATOR... [--count 160] [-o FIGURES.json]

Scenes of two things of which colour, shape and direction differ (those of `tubelet evaluate-generation
--things 2`), each with its own noise. At six times between noise and data: the loss with the true prompt, and
by how much it is larger when the directions, the colours or the shapes of both things change places in the
prompt, and without any. A generator that tells what belongs together does worse with each of them; one that
sees a bag of words does not. Losses are means of squared errors of velocities over all channels, whose
deviations are 1.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tubelet.data.scenes import COLOURS, DIRECTIONS, SHAPES, Scene
from tubelet.generate.checkpoint import TextToVideo, read_generator
from tubelet.generate.dit.flow import flow_loss, noisy
from tubelet.generate.dit.network import DiT
from tubelet.generate.evaluation.evaluate import EvaluationOptions, prompts_of
from tubelet.generate.known_tokenizer import decodable, encode_frames
from tubelet.generate.text import AND, meaningful_words, no_prompt
from tubelet.results import circumstances

TIMES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
SWAPPED = {"directions": DIRECTIONS, "colours": COLOURS, "shapes": SHAPES}
AT_ONCE = 16


def main() -> None:
    """Measure, and print a table for each generator."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("generators", nargs="+")
    parser.add_argument("--count", type=int, default=160, help="scenes that are looked through")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = {name: losses(read_generator(name), arguments.count) for name in arguments.generators}
    for name, table in found.items():
        print(f"\n{name}: loss, and what is added by wrong prompts")
        for time, row in table.items():
            print(time, *(f"{kind} {value:.4f}" for kind, value in row.items()), sep="  ")
    if arguments.output:
        results = {"figures": found, "circumstances": circumstances()}
        arguments.output.write_text(json.dumps(results, indent=2) + "\n")


def losses(model: TextToVideo, count: int) -> dict[str, dict[str, float]]:
    """By time: the loss with the true prompt, and by how much each wrong one is worse."""
    network = model.network
    assert isinstance(network, DiT), f"{model.name} is no diffusion transformer"
    scenes = [
        scene
        for scene in prompts_of(model, EvaluationOptions(count=count, things=2), "seen")
        if differs(scene)
    ]
    latent = network.normalise(torch.cat(list(encoded(model, scenes))))
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    captions = [scene.caption for scene in scenes]
    prompts = {"true": model.prompts.read(captions)}
    for kind, words in SWAPPED.items():
        prompts[kind] = model.prompts.read([swapped(caption, words) for caption in captions])
    prompts["none"] = no_prompt(network.config.slots).expand(len(scenes), -1)
    found = {}
    given = torch.zeros(len(scenes), dtype=torch.long)
    for time in TIMES:
        times = torch.full((len(scenes),), time)
        moving = noisy(latent, noise, times, given)
        with torch.inference_mode():
            each = {
                kind: flow_loss(
                    network(moving, times, words, given, lead=True), latent, noise, given,
                    torch.ones(network.config.channels),
                ).mean().item()
                for kind, words in prompts.items()
            }  # fmt: skip
        found[f"{time:g}"] = {kind: loss - each["true"] * (kind != "true") for kind, loss in each.items()}
    return found


def differs(scene: Scene) -> bool:
    """Whether its two things have nothing in common that a prompt says."""
    one, other = scene.things
    return (
        one.motion.direction != other.motion.direction
        and one.appearance.colour != other.appearance.colour
        and one.appearance.name != other.appearance.name
    )


def encoded(model: TextToVideo, scenes: Sequence[Scene]) -> Iterator[Tensor]:
    """Latents of scenes, a few at a time."""
    for start in range(0, len(scenes), AT_ONCE):
        frames = [scene.frames() for scene in scenes[start : start + AT_ONCE]]
        yield decodable(model.tokenizer, encode_frames(model.tokenizer, np.stack(frames))).float()


def swapped(caption: str, words: Sequence[str]) -> str:
    """A caption in which the first two of some words have changed places."""
    said = meaningful_words(caption)
    first, second = [place for place, word in enumerate(said) if word in words][:2]
    said[first], said[second] = said[second], said[first]
    return " ".join(";" if word == AND else word for word in said)


if __name__ == "__main__":
    main()
