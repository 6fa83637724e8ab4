"""What a latent is like, on rendered scenes whose truth is known: what a generator of it has to cope with.

    python experiments/latent_diagnostics.py tubelet-m16 klt-4x8x8 [--scenes 64] [-o FIGURES.json]

Every figure is of scenes of 17 frames of 64x64 that no training saw, with one thing each.
*Mirrored*, *upside down*: PSNR of the decoded latent with its columns or rows turned round, against the
frames turned round.
*Half size*: PSNR of the decoded mean of 2x2 positions, against the mean of 2x2 pixels; beside it what the
tokenizer makes of those small frames itself.
*Interpolated*: a scene is rendered with its thing four pixels to the left and four to the right; PSNR of the
decoded mean of both latents against the scene in between, beside that of the mean of both videos: a latent
that is linear in pixels gains nothing over it.
*High frequencies*: share of the energy, in pixels, of waves shorter than four positions, means left out.
*Next step*: share of the variance, in pixels, that the latent four frames later has in common with what a
linear map makes of the 3x3 positions around it now (fitted on half of the scenes, judged on the others), and
with the latent as it is now.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from einops import rearrange, reduce
from torch import Tensor
from torch.nn import functional as F

from tubelet.data.scenes import Scene
from tubelet.generate.evaluation.evaluate import ATTRIBUTES, check_clip_of
from tubelet.generate.evaluation.parse import parse_clip
from tubelet.generate.known_tokenizer import (
    KnownTokenizer,
    continuous_of,
    decodable,
    encode_frames,
    read_tokenizer,
)
from tubelet.generate.scenes import SceneData
from tubelet.results import write_results
from tubelet.types import Latent, Video
from tubelet.video.pixels import from_model, to_model

PROTOCOL = "latent-diagnostics-1: rendered scenes of one thing, 17 frames of 64x64; see the script"

SEED = 2_000_003
"""Of the scenes: neither training nor `evaluate-generation` draws from it."""

APART = 8
"""Pixels between the two places of a thing whose latents are averaged."""

HORIZON = 4
"""Frames ahead that the next step is predicted."""

RIDGE = 1e-3
"""Of the mean variance: keeps a fit of many features to few scenes from growing without bound."""


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tokenizers", nargs="+", metavar="NAME")
    parser.add_argument("--scenes", type=int, default=64)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    found = {name: diagnose(read_tokenizer(name), scenes=arguments.scenes) for name in arguments.tokenizers}
    for name, figures in found.items():
        print(name, *(f"  {key}: {value:.3f}" for key, value in figures.items()), sep="\n")
    if arguments.output is not None:
        write_results(arguments.output, protocol=PROTOCOL, figures=found)


@torch.inference_mode()
def diagnose(known: KnownTokenizer, *, scenes: int) -> dict[str, float]:
    """All figures of one tokenizer.

    Args:
        known: continuous, or discrete: then the latent is what its digits stand for.
        scenes: how many are rendered, two at least.
    """
    some = list(islice(SceneData(seed=SEED).all_scenes("all"), scenes))
    videos = [_video(scene) for scene in some]
    latents = [_encoded(known, video) for video in videos]
    back = [_decoded(known, latent, video) for latent, video in zip(latents, videos, strict=True)]
    return {
        "psnr_db": _mean_psnr(back, videos),
        **_parsed(some, back),
        **_turned(known, latents, videos),
        **_half_size(known, latents, videos),
        **_interpolated(known, some),
        "high_frequencies": high_frequencies(torch.cat(latents), units_of(known)),
        **next_step(
            torch.cat(latents), units_of(known), steps=max(1, HORIZON // continuous_of(known).stride.t)
        ),
    }


def units_of(known: KnownTokenizer) -> Tensor:
    """By how much one of each channel changes pixels."""
    (units,) = continuous_of(known).model.pixel_units().values()
    return units.detach().float()


def high_frequencies(latent: Latent, units: Tensor) -> float:
    """Share of the energy in pixels that lies in waves shorter than four positions, along either axis."""
    maps = latent.float() * rearrange(units[: latent.shape[1]], "c -> c 1 1 1")
    maps = maps - maps.mean(dim=(3, 4), keepdim=True)
    energy = torch.fft.fft2(maps).abs().square().sum(dim=(0, 1, 2))
    rows, columns = (torch.fft.fftfreq(size).abs() for size in energy.shape)
    high = torch.maximum(rearrange(rows, "h -> h 1"), rearrange(columns, "w -> 1 w")) > 0.25
    return float(energy[high].sum() / energy.sum())


def next_step(latent: Latent, units: Tensor, *, steps: int) -> dict[str, float]:
    """Share of the variance in pixels of later steps that earlier ones say; the lead step is left out."""
    scaled = latent.float() * rearrange(units[: latent.shape[1]], "c -> c 1 1 1")
    now, later = scaled[:, :, 1:-steps], scaled[:, :, 1 + steps :]
    around = F.pad(rearrange(now, "b c t h w -> (b t) c h w"), (1, 1, 1, 1), mode="replicate")
    features = rearrange(F.unfold(around, 3), "(b t) k n -> b (t n) k", b=len(latent)).double()
    wanted = rearrange(later, "b c t h w -> b (t h w) c").double()
    copied = rearrange(now, "b c t h w -> b (t h w) c").double()
    half = len(latent) // 2
    # What is fitted is the change, so that the penalty draws the answer towards the latent as it is now.
    fitted = _ridge(features[:half].flatten(0, 1), (wanted - copied)[:half].flatten(0, 1))
    judged, stays = (each[half:].flatten(0, 1) for each in (wanted, copied))
    variance = (judged - wanted[:half].flatten(0, 1).mean(dim=0)).square().sum()
    predicted = stays + _with_one(features[half:].flatten(0, 1)) @ fitted
    return {
        "next_step_linear": float(1 - (judged - predicted).square().sum() / variance),
        "next_step_copied": float(1 - (judged - stays).square().sum() / variance),
    }


def _ridge(features: Tensor, wanted: Tensor) -> Tensor:
    """The linear map with a constant, of least squared error plus a small penalty."""
    extended = _with_one(features)
    products = extended.T @ extended
    penalty = RIDGE * products.diagonal()[:-1].mean() * torch.eye(len(products), dtype=products.dtype)
    penalty[-1, -1] = 0
    return torch.linalg.solve(products + penalty, extended.T @ wanted)


def _with_one(features: Tensor) -> Tensor:
    return torch.cat([features, features.new_ones(len(features), 1)], dim=1)


def _turned(known: KnownTokenizer, latents: Sequence[Latent], videos: Sequence[Video]) -> dict[str, float]:
    figures = {}
    for name, axis in (("mirrored_db", 4), ("upside_down_db", 3)):
        back = [_decoded(known, each.flip(axis), video) for each, video in zip(latents, videos, strict=True)]
        figures[name] = _mean_psnr(back, [video.flip(axis) for video in videos])
    return figures


def _half_size(known: KnownTokenizer, latents: Sequence[Latent], videos: Sequence[Video]) -> dict[str, float]:
    pattern = "b c t (h i) (w j) -> b c t h w"
    small = [reduce(video, pattern, "mean", i=2, j=2) for video in videos]
    halved = [reduce(latent, pattern, "mean", i=2, j=2) for latent in latents]
    back = [_decoded(known, latent, video) for latent, video in zip(halved, small, strict=True)]
    own = [_decoded(known, _encoded(known, video), video) for video in small]
    return {"half_size_db": _mean_psnr(back, small), "half_size_itself_db": _mean_psnr(own, small)}


def _interpolated(known: KnownTokenizer, scenes: Sequence[Scene]) -> dict[str, float]:
    back, faded, truth = [], [], []
    for scene in scenes:
        shift = APART / 2 / min(scene.height, scene.width)
        left, right = (_video(_shifted(scene, way * shift)) for way in (-1, 1))
        truth.append(_video(scene))
        faded.append((left + right) / 2)
        mean = (_encoded(known, left) + _encoded(known, right)) / 2
        back.append(_decoded(known, mean, truth[-1]))
    return {"interpolated_db": _mean_psnr(back, truth), "faded_db": _mean_psnr(faded, truth)}


def _shifted(scene: Scene, way: float) -> Scene:
    """A scene whose things are further to the right, by shorter sides of the frame."""
    things = tuple(
        replace(thing, motion=replace(thing.motion, x=thing.motion.x + way)) for thing in scene.things
    )
    return replace(scene, things=things)


def _parsed(scenes: Sequence[Scene], back: Sequence[Video]) -> dict[str, float]:
    """Share of reconstructions in which the rules read each attribute right: the ceiling of a generator."""
    right = [
        check_clip_of(parse_clip(from_model(video), fps=scene.fps), scene.things).right
        for scene, video in zip(scenes, back, strict=True)
    ]
    return {f"right_{name}": float(np.mean([each[name] for each in right])) for name in ATTRIBUTES}


def _video(scene: Scene) -> Video:
    return to_model(scene.frames())


def _encoded(known: KnownTokenizer, video: Video) -> Latent:
    return decodable(known, encode_frames(known, from_model(video)[None]))


def _decoded(known: KnownTokenizer, latent: Latent, video: Video) -> Video:
    frames, height, width = video.shape[2:]
    return continuous_of(known).decode(latent, frames=frames, height=height, width=width).clamp(-1, 1)


def _mean_psnr(made: Sequence[Video], wanted: Sequence[Video]) -> float:
    """Mean over clips, in dB, of values in [-1, 1]."""
    errors = [float((one - other).square().mean()) for one, other in zip(made, wanted, strict=True)]
    return float(np.mean([10 * np.log10(4 / max(error, 1e-12)) for error in errors]))


if __name__ == "__main__":
    main()
