"""How far counts by closed-form errors are from counts by the decoder's true errors.

    python experiments/allocation_gap.py CLIPS -o FIGURES.json [--budget 8] [--rounds 2] [--clips 6]

Of each clip the first 9 frames are taken, shrunk to a short side of 256 and cut to the central 128 x 128,
and rounded at step 1. Counts come from `tubelet.codec.allocate`, as files have them, at a price at which
their mean is the budget. From there the true errors are measured: each position is given one and two
classes less and more, one in every block of 2 x 4 x 4 at a time, the clip is decoded, and the change of
squared error in that block is the position's. All positions choose again by these at one price, so that the
mean stays; of what this gives, and of what it gives if a half or a quarter of the positions do, the best is
kept, and the next round begins there. That is an oracle: it needs some hundred decodings. Where no channel
is stored, the step before is repeated, as in files.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange, reduce
from torch import Tensor
from torch.nn import functional as F

from tubelet.checkpoint import read_continuous
from tubelet.codec.allocate import classes_of
from tubelet.codec.budget import Allocators
from tubelet.codec.fill import fill_from_past
from tubelet.data.clips import find_clips
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import find_protocol
from tubelet.results import write_results
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Video
from tubelet.video.pixels import to_model

FRAMES, SIDE = 9, 128
BLOCK = (2, 4, 4)
"""Steps, rows and columns of which one position is changed at a time."""

MOVES = (-2, -1, 1, 2)
BATCH = 8
HALVINGS = 40

Counts = Tensor
"""``t h w``: how many channels each position has."""


class Coded(NamedTuple):
    """A clip that may be decoded with any counts.

    Attributes:
        tokenizer: whose latent.
        video: the clip.
        values: the latent, rounded, all channels; ``c t h w``.
        classes: counts that a position may have.
    """

    tokenizer: ContinuousTokenizer
    video: Video
    values: np.ndarray
    classes: Tensor

    def errors(self, counts: Tensor) -> Tensor:
        """Squared error of the patch of each position, for several maps of counts (``b t h w``)."""
        filled = [fill_from_past(self.values, each.numpy(), None) for each in counts]
        latent = torch.from_numpy(np.stack([each.values for each in filled]))
        known = torch.from_numpy(np.stack([each.counts for each in filled])).long()
        frames, height, width = self.video.shape[2:]
        back = self.tokenizer.decode(latent, frames=frames, height=height, width=width, counts=known[:, None])
        squares = reduce((back - self.video).square(), "b c t (h p) (w q) -> b t h w", "sum", p=8, q=8)
        groups = rearrange(squares[:, 1:], "b (t f) h w -> b t f h w", f=self.tokenizer.stride.t)
        return torch.cat([squares[:, :1], groups.sum(dim=2)], dim=1).double()

    def psnr(self, counts: Counts) -> float:
        """Of the clip with these counts, in dB."""
        return self.decibels(self.errors(counts[None]).sum())

    def decibels(self, error: Tensor) -> float:
        """A squared error of the clip as PSNR."""
        return float(10 * torch.log10(4 * self.video.numel() / error))


def main() -> None:
    """Measure some clips and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of clips")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--tokenizer", default="tubelet-m")
    parser.add_argument("--budget", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--clips", type=int, default=6, help="of the folder, evenly over their names")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = read_continuous(arguments.tokenizer).tokenizer
    paths = find_clips(arguments.data)
    picked = sorted({round(place) for place in np.linspace(0, len(paths) - 1, arguments.clips)})
    figures: dict[str, dict[str, float]] = {}
    for path in (paths[place] for place in picked):
        found = measured(tokenizer, path, budget=arguments.budget, rounds=arguments.rounds)
        figures[path.name] = found
        print(path.name, *(f"{name} {value:.3f}" for name, value in found.items()), flush=True)
        described = (
            f"{arguments.tokenizer}: the first {FRAMES} frames, short side 256, central {SIDE} x {SIDE}, "
            f"step 1, a mean of {arguments.budget:g} channels; PSNR in dB"
        )
        write_results(arguments.output, protocol=described, figures={"clips": figures}, force=True)
    gains = [each["true errors"] - each["closed form"] for each in figures.values()]
    print(f"true errors over closed form: {np.mean(gains):+.3f} dB ({min(gains):+.3f} to {max(gains):+.3f})")


@torch.no_grad()
def measured(tokenizer: ContinuousTokenizer, path: Path, *, budget: float, rounds: int) -> dict[str, float]:
    """PSNR with the same counts everywhere, with those of the closed form, and with those of true errors."""
    protocol = replace(find_protocol("short256x33"), frames=FRAMES, crop=SIDE)
    video = to_model(open_clip(path, protocol).frames)
    latent = tokenizer.encode(video)
    maker = Allocators(tokenizer)
    quantizer = maker.quantizer(1.0)
    values = quantizer.dequantize(quantizer.quantize(latent))[0].numpy()
    coded = Coded(tokenizer, video, values, torch.tensor(classes_of(tokenizer.channels)))

    def allocated(price: float) -> Counts:
        return torch.from_numpy(maker.at_price(price, step=1.0).allocate(latent).counts)

    counts = _at_most(allocated, budget)
    found = {
        "mean channels": float(counts.double().mean()),
        "uniform": coded.psnr(torch.full_like(counts, int(budget))),
        "closed form": coded.psnr(counts),
    }
    generator = torch.Generator().manual_seed(0)
    for number in range(rounds):
        counts = chosen_again(coded, counts, generator)
        found[f"round {number + 1}"] = coded.psnr(counts)
    return found | {"true errors": coded.psnr(counts)}


def chosen_again(coded: Coded, counts: Counts, generator: torch.Generator) -> Counts:
    """Counts of the same mean at least as good, by the true errors around these."""
    here = torch.searchsorted(coded.classes, counts.long())
    changes = true_changes(coded, here)
    candidates, spent = [counts], int(counts.sum())
    for share in (1.0, 0.5, 0.25):
        moving = torch.rand(counts.shape, generator=generator) < share

        def moved(price: float, moving: Tensor = moving) -> Counts:
            costs = torch.stack([coded.classes[_moved(coded, here, move)] for move in (0, *MOVES)])
            best = (changes + price * costs).argmin(dim=0)
            picked = costs.gather(0, best[None])[0]
            return torch.where(moving, picked, coded.classes[here]).to(counts.dtype)

        candidates.append(_at_most(moved, spent / counts.numel()))
    errors = coded.errors(torch.stack(candidates)).sum(dim=(1, 2, 3))
    allowed = torch.tensor([int(each.sum()) <= spent for each in candidates])
    return candidates[int(torch.where(allowed, errors, torch.inf).argmin())]


def true_changes(coded: Coded, here: Tensor) -> Tensor:
    """By how much the squared error around each position changes with each move; the first stays.

    Args:
        coded: the clip.
        here: place of each position's count among the classes.
    """
    before = coded.errors(coded.classes[here][None].int())
    changes = torch.zeros(1 + len(MOVES), *here.shape, dtype=torch.float64)
    jobs = list(product(enumerate(MOVES, start=1), *(range(size) for size in BLOCK)))
    for first in range(0, len(jobs), BATCH):
        some = jobs[first : first + BATCH]
        maps, masks = [], []
        for (_, move), *corner in some:
            mask = torch.zeros_like(here, dtype=torch.bool)
            mask[tuple(slice(start, None, size) for start, size in zip(corner, BLOCK, strict=True))] = True
            maps.append(coded.classes[torch.where(mask, _moved(coded, here, move), here)].int())
            masks.append(mask)
        after = coded.errors(torch.stack(maps))
        around = F.conv3d(
            F.pad((after - before)[:, None], (1, 2, 1, 2, 0, 1)), torch.ones(1, 1, *BLOCK).double()
        )
        for ((number, _), *_), mask, change in zip(some, masks, around[:, 0], strict=True):
            changes[number][mask] = change[mask]
    return changes


def _moved(coded: Coded, here: Tensor, move: int) -> Tensor:
    return (here + move).clamp(0, len(coded.classes) - 1)


def _at_most(counts_at: Callable[[float], Counts], mean: float) -> Counts:
    """The counts of the least price at which their mean is at most so much."""
    low, high = -40.0, 40.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if float(counts_at(2.0**middle).double().mean()) > mean:
            low = middle
        else:
            high = middle
    return counts_at(2.0**high)


if __name__ == "__main__":
    main()
