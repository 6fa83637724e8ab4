"""What structure and dynamics hold, what a swap gives and the split costs, on clips of known truth.

    python experiments/twins.py [--tokenizer tubelet-twin] [--clips CLIPS] [--probes 1200] [--pairs 100]
                                [--scenes 60] [-o FIGURES.json]

Rendered clips have 33 frames of 64x64 and one thing.
*Probes* (`probes.py`): linear ones from a part to the colour and the shape of the thing, and to which of four
ways it goes, of all its numbers and of its places (those of structure are positions, those of dynamics rows
and columns). Nothing else moves, and nothing turns back. Chance is the share of the most frequent label.
What a probe of places can find at all is said beside: from the true mean picture of each 16 frames, in cells
of 8 and 16 pixels to a side, of which the KLT keeps as many numbers as the structure has at a position.
*Swaps*: PSNR of the structure of one clip with the dynamics of another against the rendered truth, beside the
two answers that copy a clip.
*Equal numbers*: PSNR of reconstructions beside others that keep as many numbers or more, by what moves; and
for clips as short256x33 prepares them.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from probes import accuracy_of_all, accuracy_of_places
from torch import Tensor

import tubelet
from tubelet.codec.swap import swap
from tubelet.codec.symbols import kept_channels
from tubelet.data.clips import find_clips
from tubelet.data.scenes import Scene, SceneOptions, scene_at
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import PROTOCOLS
from tubelet.metrics.psnr import ClipPSNR
from tubelet.results import circumstances
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.twin.pairs import exchanged
from tubelet.types import Frames, Latents
from tubelet.video.pixels import from_model, to_model

SEED = 20_261_129
"""Of the scenes: no run of training draws from it."""

BESIDE = {"tubelet-m": 4, "klt-4x8x8": 4, "klt-4x8x8-motion": 4}
"""What stands beside, and its channels (of content, where vectors come on top)."""

WAYS = ("right", "down", "left", "up")

CHUNK = 16
"""Frames that have one structure."""

CELLS = (8, 16)
"""Pixels to a side of the places of a true mean picture."""


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokenizer", default="tubelet-twin")
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--probes", type=int, default=1200)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--scenes", type=int, default=60, help="of each kind of motion")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    twin = tubelet.load(arguments.tokenizer)
    figures: dict[str, Any] = {
        "probes": _probes(twin, arguments.probes),
        "swaps": _swaps(twin, arguments.pairs),
        "equal_numbers": _equal_numbers(
            {arguments.tokenizer: (twin, None)}
            | {name: (tubelet.load(name), kept) for name, kept in BESIDE.items()},
            arguments.scenes,
            arguments.clips,
        ),
    }
    print(json.dumps(figures, indent=1))
    if arguments.output is not None:
        content = {"figures": figures, "circumstances": circumstances()}
        arguments.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _moving(count: int) -> Iterator[Scene]:
    """Scenes with one thing that goes one way at an even speed, and nothing else that moves."""
    options = SceneOptions(directions=WAYS, still=0.0, bounce=0.0, spin=0.0, grow=0.0, pan=0.0)
    index = found = 0
    while found < count:
        scene = scene_at(index, seed=SEED, options=options)
        index += 1
        if not scene.truth().things[0].bounces:
            found += 1
            yield scene


def _probes(twin: ContinuousTokenizer, count: int) -> dict[str, Any]:
    """How well linear probes find what a thing is, and where it goes, in each part."""
    found_parts: list[Latents] = []
    pictures: list[Float[Tensor, "t h w c"]] = []
    labels: dict[str, list[str]] = {"colour": [], "shape": [], "way": []}
    for scene in _moving(count):
        frames = scene.frames()
        found_parts.append(twin.encode_parts(to_model(frames)))
        chunks = rearrange(torch.from_numpy(frames[1:]).float(), "(t s) h w c -> t s h w c", s=CHUNK)
        pictures.append(chunks.mean(dim=1))
        thing = scene.things[0]
        labels["colour"].append(thing.appearance.colour)
        labels["shape"].append(thing.appearance.name)
        labels["way"].append(thing.motion.direction)
    places = {
        name: rearrange(torch.cat([each[name] for each in found_parts]), "n c t h w -> n (t h w) c")
        for name in found_parts[0]
    }
    parts = {"structure": [places["structure"]], "dynamics": [places["rows"], places["columns"]]}
    every = {name: np.array(values) for name, values in labels.items()}
    chosen = {
        "colour": (every["colour"], slice(None)),
        "shape": (every["shape"], slice(None)),
        "way": (every["way"], slice(None)),
        "left or right": (every["way"], np.isin(every["way"], ("left", "right"))),
        "up or down": (every["way"], np.isin(every["way"], ("up", "down"))),
    }
    found: dict[str, Any] = {"clips": count}
    for question, (names, which) in chosen.items():
        asked = names[which]
        shares = np.unique(asked[3 * len(asked) // 4 :], return_counts=True)[1]
        found[question] = {"chance": round(float(shares.max() / shares.sum()), 3)}
        for part, each in parts.items():
            some = [values[which] for values in each]
            whole = torch.cat([values.flatten(1) for values in some], dim=1).double()
            found[question] |= {
                part: round(accuracy_of_all(whole, asked), 3),
                f"{part}, places": round(accuracy_of_places(some, asked), 3),
            }
        if question in ("colour", "shape"):
            found[question] |= _of_true_pictures(pictures, asked, parts["structure"][0].shape[2])
    return found


def _of_true_pictures(
    pictures: Sequence[Float[Tensor, "t h w c"]], names: np.ndarray, numbers: int
) -> dict[str, float]:
    """What the probe of places finds in the true mean picture of each chunk."""
    found = {}
    for cell in CELLS:
        places = rearrange(
            torch.stack(list(pictures)), "n t (h k) (w l) c -> n (t h w) (k l c)", k=cell, l=cell
        )
        places = places - places.mean(dim=(0, 1))
        flat = places.flatten(0, 1)
        basis = torch.linalg.eigh(flat.T @ flat).eigenvectors[:, -numbers:]
        found[f"true mean picture, cells of {cell}"] = round(accuracy_of_places([places @ basis], names), 3)
    return found


def _swaps(twin: ContinuousTokenizer, pairs: int) -> dict[str, float]:
    """PSNR of swaps of rendered pairs against the truth, and of two copies."""
    found: dict[str, list[float]] = {"swapped": [], "copy of what is seen": [], "copy of what moves": []}
    scenes = list(_moving(2 * pairs))
    for seen, moving in zip(scenes[::2], scenes[1::2], strict=True):
        truth = exchanged(seen, moving).frames()
        first, second = seen.frames(), moving.frames()
        ways = {
            "swapped": from_model(swap(to_model(first), to_model(second), tokenizer=twin)),
            "copy of what is seen": first,
            "copy of what moves": second,
        }
        for way, frames in ways.items():
            found[way].append(_psnr(truth, frames))
    return {"pairs": pairs} | {way: round(fmean(values), 3) for way, values in found.items()}


def _equal_numbers(
    tokenizers: Mapping[str, tuple[ContinuousTokenizer, int | None]], count: int, folder: Path | None
) -> dict[str, Any]:
    """PSNR of reconstructions by what moves, and how many numbers a clip of these scenes has."""
    still = SceneOptions(still=0.0, pan=0.0)
    kinds = {
        "still camera": still,
        "moving camera": replace(still, pan=1.0),
        "two things": replace(still, things=(2, 2)),
    }
    found: dict[str, Any] = {}
    for kind, options in kinds.items():
        clips = [scene_at(index, seed=SEED, options=options).frames() for index in range(count)]
        found[kind] = _table(tokenizers, {str(number): frames for number, frames in enumerate(clips)})["mean"]
    if folder is not None:
        paths = find_clips(folder)
        clips = {path.name: open_clip(path, PROTOCOLS["short256x33"]).frames for path in paths}
        found["clips"] = _table(tokenizers, clips)
    return found


def _table(
    tokenizers: Mapping[str, tuple[ContinuousTokenizer, int | None]], clips: Mapping[str, Frames]
) -> dict[str, Any]:
    rows = {
        name: {clip: _there_and_back(tokenizer, kept, frames) for clip, frames in clips.items()}
        for name, (tokenizer, kept) in tokenizers.items()
    }
    means = {
        name: {
            "psnr_db": round(fmean(psnr for psnr, _ in row.values()), 3),
            "numbers_per_pixel": round(fmean(share for _, share in row.values()), 5),
        }
        for name, row in rows.items()
    }
    each = {name: {clip: round(psnr, 3) for clip, (psnr, _) in row.items()} for name, row in rows.items()}
    return {"mean": means, "psnr_db": each}


def _there_and_back(tokenizer: ContinuousTokenizer, kept: int | None, frames: Frames) -> tuple[float, float]:
    """PSNR of a clip that comes back, and how many numbers its latent has, per pixel and frame."""
    latents = tokenizer.encode_parts(to_model(frames))
    if kept is not None:
        channels = kept_channels(tokenizer, kept)
        latents = {name: latents[name][:, :number] for name, number in channels.items()}
    length, height, width = frames.shape[:3]
    back = from_model(tokenizer.decode_parts(latents, frames=length, height=height, width=width))
    numbers = sum(part.numel() for part in latents.values())
    return _psnr(frames, back), numbers / (length * height * width)


def _psnr(reference: Frames, frames: Frames) -> float:
    measure = ClipPSNR()
    measure.update(reference, frames)
    return measure.compute()


if __name__ == "__main__":
    main()
