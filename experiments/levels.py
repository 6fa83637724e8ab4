"""What a global part shows alone, with some detail, and refined, beside the tokenizer that it was made of.

    python experiments/levels.py CLIPS [--tokenizer tubelet-global] [--beside tubelet-s] [--refine 0 1 2]
        [--network FILE --sha256 SHA256] [-o FIGURES.json]

Clips are prepared as short256x33 prepares them, and cut to whole blocks, so that numbers per position
count what is there. Figures are means over clips; the perceptual distance is LPIPS on every sixteenth
frame, if its network is given: say which. Frames are refined where there is no detail.
"""

import argparse
import json
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

import tubelet
from tubelet.data.clips import find_clips
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import PROTOCOLS
from tubelet.metrics.flicker import ClipFlicker
from tubelet.metrics.psnr import ClipPSNR
from tubelet.metrics.spectrum import ClipTopOctave
from tubelet.models.levels.model import BLOCK, DETAIL, GLOBAL
from tubelet.perceptual.lpips import LPIPS
from tubelet.perceptual.lpips_weights import read_lpips
from tubelet.results import circumstances
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Frames
from tubelet.video.pixels import from_model, to_model

GLOBAL_CHANNELS = (32, 64, 128)
DETAIL_CHANNELS = (0, 4, 8)
PLAIN_CHANNELS = (1, 2, 4, 6, 8, 10)
EVERY = 16

Figures = dict[str, float]


def main() -> None:
    """Measure, print a row for each way to keep numbers, and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--tokenizer", default="tubelet-global")
    parser.add_argument("--beside", default="tubelet-s")
    parser.add_argument("--refine", type=int, nargs="+", default=[0])
    parser.add_argument("--network", type=Path)
    parser.add_argument("--sha256")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = None if arguments.network is None else read_lpips(arguments.network, sha256=arguments.sha256)
    levels, plain = (tubelet.load(name, lead_frame=False) for name in (arguments.tokenizer, arguments.beside))
    rows: dict[str, dict[str, Figures]] = {}
    for path in find_clips(arguments.clips):
        frames = _whole_blocks(open_clip(path, PROTOCOLS["short256x33"]).frames, levels)
        if not frames.size:
            print(f"{path.name}: smaller than a block")
            continue
        for name, back in _ways(levels, plain, frames, arguments.refine).items():
            rows.setdefault(name, {})[path.name] = _measured(frames, back, network)
    means = {
        name: {key: round(fmean(row[key] for row in clips.values()), 4) for key in next(iter(clips.values()))}
        for name, clips in rows.items()
    }
    for name, found in means.items():
        print(f"{name:44} " + "  ".join(f"{key} {value:.4g}" for key, value in found.items()))
    if arguments.output is not None:
        content = {"figures": rows, "means": means, "circumstances": circumstances()}
        arguments.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _whole_blocks(frames: Frames, levels: ContinuousTokenizer) -> Frames:
    """A clip in whole steps and cells of the global part; no frame if there are none."""
    sides = (length // step * step for length, step in zip(frames.shape, levels.stride, strict=False))
    length, height, width = sides
    return np.ascontiguousarray(frames[:length, :height, :width])


@torch.no_grad()
def _ways(
    levels: ContinuousTokenizer, plain: ContinuousTokenizer, frames: Frames, refine: list[int]
) -> dict[str, Frames]:
    """What comes back of a clip, by how many numbers each position of 4x8x8 pixels has."""
    length, height, width = frames.shape[:3]
    video = to_model(frames)
    latents, latent = levels.encode_parts(video), plain.encode(video)
    size = {"frames": length, "height": height, "width": width}
    found: dict[str, Frames] = {}
    for kept in PLAIN_CHANNELS:
        found[f"{kept:6.2f} plain"] = from_model(plain.decode(latent[:, :kept], **size))
    per_position = BLOCK.t * BLOCK.h * BLOCK.w
    for steps in refine:
        refined = levels.refined(steps, seed=0)
        for whole in GLOBAL_CHANNELS:
            for kept in DETAIL_CHANNELS if not steps else (0,):
                known = {GLOBAL: whole, DETAIL: kept}
                counts = {name: torch.full((1, 1, 1, 1, 1), count) for name, count in known.items()}
                name = f"{whole / per_position + kept:6.2f} global {whole}, detail {kept}, refined {steps}"
                found[name] = from_model(refined.decode_parts(latents, known=counts, **size))
    return found


@torch.no_grad()
def _measured(frames: Frames, back: Frames, network: LPIPS | None) -> Figures:
    found: Figures = {}
    makers = {"psnr_db": ClipPSNR, "top_octave_ratio": ClipTopOctave, "flicker_levels": ClipFlicker}
    for name, make in makers.items():
        metric = make()
        metric.update(frames, back)
        found[name] = metric.compute()
    if network is not None:
        pair = (to_model(np.ascontiguousarray(each[::EVERY])) for each in (frames, back))
        found["perceptual_distance"] = float(network(*pair))
    return found


if __name__ == "__main__":
    main()
