"""What a flow makes of decoded frames: quality, detail, flicker and chance, by its steps.

    python experiments/flow.py CLIPS [--tokenizer tubelet-flow] [--channels 4 16] [--refine 0 1 2 4 8]
        [--seeds 5] [--frames 33] [--network FILE --sha256 SHA256] [--vmaf] [-o FIGURES.json]

Clips are prepared as short256x33 prepares them, and figures are means over clips. Figures are of seed 0; the
spread is over all seeds: the standard deviation of a sample of the frames, in levels of 255, and that of the
PSNR. The perceptual distance is LPIPS on every eighth frame, if its network is given: say which. Seconds are
of one decoder on one thread, per clip, and include what else the machine did.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tubelet
from tubelet.data.clips import find_clips
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.measures import ClipMetric
from tubelet.evaluate.protocols import PROTOCOLS
from tubelet.metrics.flicker import ClipFlicker
from tubelet.metrics.ms_ssim import ClipMSSSIM
from tubelet.metrics.psnr import ClipPSNR
from tubelet.metrics.spectrum import ClipTopOctave
from tubelet.metrics.vmaf import ClipVMAF
from tubelet.perceptual.lpips import LPIPS
from tubelet.perceptual.lpips_weights import read_lpips
from tubelet.results import circumstances
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Frames, Latent
from tubelet.video.pixels import from_model, to_model

EVERY = 8
"""Of so many frames the perceptual network sees one."""

METRICS: dict[str, Callable[[], ClipMetric]] = {
    "psnr_db": ClipPSNR,
    "ms_ssim": ClipMSSSIM,
    "top_octave_ratio": ClipTopOctave,
    "flicker_levels": ClipFlicker,
}


def main() -> None:
    """Measure, and print a row for each number of channels and steps."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--tokenizer", default="tubelet-flow")
    parser.add_argument("--channels", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--refine", type=int, nargs="+", default=[0, 1, 2, 4, 8])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--network", type=Path)
    parser.add_argument("--sha256")
    parser.add_argument("--vmaf", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = None if arguments.network is None else read_lpips(arguments.network, sha256=arguments.sha256)
    metrics = METRICS | ({"vmaf": ClipVMAF} if arguments.vmaf else {})
    tokenizer = tubelet.load(arguments.tokenizer)
    protocol = replace(PROTOCOLS["short256x33"], frames=arguments.frames)
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for path in find_clips(arguments.clips):
        frames = open_clip(path, protocol).frames
        with torch.no_grad():
            latent = tokenizer.encode(to_model(frames))
        for channels in arguments.channels:
            for steps in arguments.refine:
                seeds = range(arguments.seeds if steps else 1)
                found = _measured(tokenizer, latent[:, :channels], frames, steps, seeds, metrics, network)
                rows.setdefault(f"{channels} channels, {steps} steps", {})[path.name] = found
        print(f"{path.name}: done", flush=True)
        if arguments.output is not None:
            content = {"figures": rows, "means": _means(rows), "circumstances": circumstances()}
            arguments.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for name, means in _means(rows).items():
        print(f"{name:24} " + "  ".join(f"{key} {value:.4g}" for key, value in means.items()))


@torch.no_grad()
def _measured(
    tokenizer: ContinuousTokenizer,
    latent: Latent,
    frames: Frames,
    steps: int,
    seeds: range,
    metrics: dict[str, Callable[[], ClipMetric]],
    network: LPIPS | None,
) -> dict[str, float]:
    """The figures of one clip at one number of channels and steps."""
    began = time.perf_counter()
    decoded = [_decoded(tokenizer.refined(steps, seed=seed), latent, frames) for seed in seeds]
    found = {"seconds": (time.perf_counter() - began) / len(seeds)}
    for name, make in metrics.items():
        metric = make()
        metric.update(frames, decoded[0])
        found[name] = metric.compute()
    if network is not None:
        pair = (to_model(np.ascontiguousarray(each[::EVERY])) for each in (frames, decoded[0]))
        found["perceptual_distance"] = float(network(*pair))
    if len(seeds) > 1:
        found["spread_levels"] = float(np.stack(decoded).astype(np.float32).std(axis=0).mean())
        found["spread_psnr_db"] = statistics.stdev(_psnr(frames, each) for each in decoded)
    return found


def _decoded(tokenizer: ContinuousTokenizer, latent: Latent, frames: Frames) -> Frames:
    length, height, width = frames.shape[:3]
    return from_model(tokenizer.decode(latent, frames=length, height=height, width=width))


def _psnr(frames: Frames, decoded: Frames) -> float:
    metric = ClipPSNR()
    metric.update(frames, decoded)
    return metric.compute()


def _means(rows: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, Any]]:
    """The mean over clips of each figure, where clips have it."""
    means: dict[str, dict[str, Any]] = {}
    for name, clips in rows.items():
        keys = dict.fromkeys(key for row in clips.values() for key in row)
        means[name] = {
            key: float(np.nanmean([row[key] for row in clips.values() if key in row])) for key in keys
        }
    return means


if __name__ == "__main__":
    main()
