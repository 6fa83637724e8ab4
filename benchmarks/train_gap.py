"""Gain of a tokenizer over a linear one on prepared crops: `python benchmarks/train_gap.py DATA TOKENIZER`.

Run it on the training crops, and on crops that `tubelet prepare` made of other clips: the difference of the
two gains is what the networks learnt by heart.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

import tubelet
from tubelet.data.crops import open_crops
from tubelet.metrics.psnr import ClipPSNR
from tubelet.results import write_results
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Frames
from tubelet.video.pixels import from_model, to_model

PROTOCOL = (
    "crops spread evenly over the folder; of each the first 33 frames and the upper left 160x160 pixels; "
    "neither latent is quantised, the output is rounded to 8 bits; PSNR is 10 log10(255^2 / mean squared "
    "error over the window's RGB), then the mean over the windows. Windows that either tokenizer gives back "
    "without error are left out."
)
FRAMES, SIDE = 33, 160
CHANNELS = (4, 8, 16, 32, 64)


def main() -> None:
    """Measure, print a Markdown table, and write JSON where -o says so."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=PROTOCOL)
    parser.add_argument("data", type=Path, help="a folder of prepared crops")
    parser.add_argument("tokenizer")
    parser.add_argument("-o", type=Path, help="a .json file")
    parser.add_argument("--floor", default="klt-4x8x8", help="the linear tokenizer")
    parser.add_argument("--windows", type=int, default=64)
    parser.add_argument("--bfloat16", action="store_true", help="let networks compute in bfloat16")
    arguments = parser.parse_args()
    tokenizers = [tubelet.load(name) for name in (arguments.tokenizer, arguments.floor)]
    if arguments.bfloat16:
        tokenizers = [each.networks_to(torch.bfloat16) for each in tokenizers]
    counts = [count for count in CHANNELS if count <= min(each.channels for each in tokenizers)]
    windows = cut_windows(arguments.data, arguments.windows)
    psnrs = np.array([[measure(each, window, counts) for each in tokenizers] for window in windows])
    finite = psnrs[np.isfinite(psnrs).all(axis=(1, 2))]
    found, floor = finite.mean(axis=0)
    means = {"tokenizer": found, "floor": floor, "gain": found - floor}
    figures = {
        f"mean_psnr_db_{name}": dict(zip(counts, np.round(each, 4).tolist(), strict=True))
        for name, each in means.items()
    }
    print(f"{len(finite)} windows of {len(windows)}\n\n| channels | PSNR, dB | floor, dB | gain, dB |")
    print("| --- | --- | --- | --- |")
    for count, *line in zip(counts, *means.values(), strict=True):
        print(f"| {count} | {' | '.join(f'{value:.2f}' for value in line)} |")
    if arguments.o:
        facts = {"data": str(arguments.data), "tokenizer": arguments.tokenizer, "floor": arguments.floor}
        write_results(arguments.o, protocol=PROTOCOL, figures={**facts, "windows": len(finite), **figures})


def cut_windows(data: Path, number: int) -> list[Frames]:
    """At most `number` windows of the protocol."""
    crops = open_crops(data)
    if crops.frames < FRAMES or crops.side < SIDE:
        raise SystemExit(
            f"the crops of {data} have {crops.frames} frames of {crops.side}x{crops.side}; windows of "
            f"{FRAMES} frames of {SIDE}x{SIDE} are needed. Prepare larger crops."
        )
    chosen = range(len(crops)) if len(crops) <= number else (i * len(crops) // number for i in range(number))
    return [crops[index][:FRAMES, :SIDE, :SIDE] for index in chosen]


def measure(tokenizer: ContinuousTokenizer, frames: Frames, counts: Sequence[int]) -> list[float]:
    """PSNR at every number of channels."""
    length, height, width = frames.shape[:3]
    latent = tokenizer.encode(to_model(frames))
    psnrs = []
    for count in counts:
        metric = ClipPSNR()
        video = tokenizer.decode(latent[:, :count], frames=length, height=height, width=width)
        metric.update(frames, from_model(video))
        psnrs.append(metric.compute())
    return psnrs


if __name__ == "__main__":
    main()
