"""Who uses a codebook: `python experiments/collapse.py DATA [--steps 200] [--seeds 0 1 2] [-o FILE]`.

Protocol collapse: the same small network (recipe fsq at width 64, one block in the encoder, two in the
decoder, latents of 8 channels, or as many as the quantiser needs digits), the same crops in the same order,
the same number of steps; only the quantiser and the seed change. Codebooks of vectors start near zero (VQ;
VQ, restart: as published), at k-means of latents (VQ, k-means; IBQ), or frozen at random (SimVQ). FSQ has the
published levels, its entropy term the weight that the shipped tokenizer was trained with. Trained on seven
eighths of the prepared clips; usage, perplexity (of all tokens together) and PSNR are measured on 128
windows of 17 x 128 x 128 of the others, networks in float32. Step times are medians over the run of the CPU
seconds of all threads; start it with OMP_NUM_THREADS=1. A run that the file holds already is not done again,
so an interrupted experiment goes on.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from ablate import split

from tubelet.data.crops import Crops, open_crops
from tubelet.data.feed import Draw, draw_batch
from tubelet.metrics.usage import DigitUsage
from tubelet.quantizers.config import (
    BSQConfig,
    FSQConfig,
    IBQConfig,
    LFQConfig,
    QuantizerConfig,
    SimVQConfig,
    VQConfig,
)
from tubelet.quantizers.fsq import PUBLISHED
from tubelet.recipes.tokens import fsq
from tubelet.results import write_results
from tubelet.train.loop import RunOptions
from tubelet.train.state import TrainState
from tubelet.train.tokenizer.batches import to_video
from tubelet.train.tokenizer.config import Prefixes, Stage, TrainConfig
from tubelet.train.tokenizer.task import train
from tubelet.train.tokenizer.token_figures import figures_to_json
from tubelet.types import Video

SIZES = (1 << 10, 1 << 14, 1 << 16)
CHANNELS = 8
"""Of the latent under a codebook of vectors."""

WINDOWS, FRAMES, SIDE = 128, 17, 128


def methods(size: int) -> dict[str, tuple[QuantizerConfig, int]]:
    """Every quantiser at about so many values of a token, and the channels that it takes."""
    bits = size.bit_length() - 1
    levels = PUBLISHED[size]
    return {
        "VQ": (VQConfig(codes=size, start="small"), CHANNELS),
        "VQ, restart": (VQConfig(codes=size, start="small", restart_below=0.1), CHANNELS),
        "VQ, k-means": (VQConfig(codes=size), CHANNELS),
        "SimVQ": (SimVQConfig(codes=size), CHANNELS),
        "IBQ": (IBQConfig(codes=size), CHANNELS),
        "LFQ, no entropy term": (LFQConfig(entropy_weight=0.0), bits),
        "LFQ": (LFQConfig(), bits),
        "BSQ": (BSQConfig(), bits),
        "FSQ": (FSQConfig(levels=levels), len(levels)),
        "FSQ, entropy term": (FSQConfig(levels=levels, entropy_weight=0.4), len(levels)),
    }


def main() -> None:
    """Train and measure everything; write experiments/results/collapse.json, which `make figures` shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("-o", type=Path, default=Path("experiments/results/collapse.json"))
    arguments = parser.parse_args()
    protocol = " ".join((__doc__ or "").split())
    figures: dict[str, Any] = {}
    if arguments.o.exists():
        figures = json.loads(arguments.o.read_text(encoding="utf-8"))["figures"]
    with tempfile.TemporaryDirectory() as scratch:
        fitted, measured = (Path(scratch) / name for name in ("fit", "measure"))
        split(arguments.data, fitted, measured)
        clips = list(windows(open_crops(measured)))
        for name, config in runs(arguments.sizes, arguments.seeds, arguments.steps):
            if name not in figures:
                ticks: list[float] = []

                def tick(*_: object, ticks: list[float] = ticks) -> None:
                    ticks.append(time.process_time())

                state = train(
                    config,
                    data=fitted,
                    options=RunOptions(folder=Path(scratch) / "run", force=True, on_iteration=tick),
                )
                if len(ticks) < arguments.steps:
                    raise SystemExit(f"{name} was interrupted. The same command goes on from there.")
                steps = [after - before for before, after in pairwise(ticks)]
                figures[name] = measure(state, clips) | {
                    "step_cpu_seconds": round(statistics.median(steps), 4)
                }
                print(name, json.dumps(figures[name]), flush=True)
                write_results(arguments.o, protocol=protocol, figures=figures)


def runs(sizes: Sequence[int], seeds: Sequence[int], steps: int) -> Iterator[tuple[str, TrainConfig]]:
    """Every run, and what it is called: method, size and seed."""
    base = fsq()
    for seed in seeds:
        for size in sizes:
            for method, (quantizer, channels) in methods(size).items():
                model = replace(
                    base.model,
                    channels=channels,
                    coefficients=(64,),
                    width=64,
                    encoder_blocks=1,
                    decoder_blocks=2,
                )
                config = replace(
                    base,
                    model=model,
                    quantizer=quantizer,
                    prefixes=Prefixes(counts=(channels,), weights=(1.0,), maps=0.0),
                    stages=(Stage(batch=8, frames=17, side=64),),
                    iterations=steps,
                    seed=seed,
                    save_seconds=1e9,
                )
                yield f"{method} | {size} | {seed}", config


def windows(crops: Crops) -> Iterator[Video]:
    """The same windows for every run, a few at a time."""
    draw_ = Draw(batch=8, frames=FRAMES, side=SIDE)
    for step in range(WINDOWS // draw_.batch):
        yield to_video(draw_batch(crops, draw_, seed=11, step=step, indices=range(draw_.batch)))


@torch.no_grad()
def measure(state: TrainState, clips: list[Video]) -> dict[str, Any]:
    """What a run's averaged weights do on clips that it has not seen."""
    state.use_ema()
    network = state.network.eval()
    quantizer = network.quantizer
    assert quantizer is not None
    usage, psnrs = DigitUsage(quantizer.bases), []
    for video in clips:
        digits = quantizer.quantize(network.tokenizer.encode(video))
        usage.update(digits)
        back = network.tokenizer.decode(
            quantizer.dequantize(digits), frames=FRAMES, height=SIDE, width=SIDE
        ).clamp(-1, 1)
        psnrs += (10 * torch.log10(4 / (back - video).square().mean(dim=(1, 2, 3, 4)))).tolist()
    return {
        "psnr_db": round(statistics.fmean(psnrs), 3),
        "tokens": figures_to_json(usage.compute()),
    }


if __name__ == "__main__":
    main()
