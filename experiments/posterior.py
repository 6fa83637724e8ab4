"""What the distribution of a variational tokenizer is like, and what a latent that is drawn from it costs.

    python experiments/posterior.py CLIPS [--tokenizer tubelet-m-vae] [--channels 4 8 16 32 64] [-o FILE.json]

The clips are prepared as short256x33 prepares them. PSNR of frames decoded from the mean, which is what
`encode` gives, and from a draw of a fixed seed; nats of divergence from the standard normal distribution, and
deviations of the distribution, both by value, at the first channels of the latent.
"""

import argparse
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

import tubelet
from tubelet.data.clips import find_clips
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import PROTOCOLS
from tubelet.metrics.psnr import ClipPSNR
from tubelet.nn.divergence import kl_per_value
from tubelet.results import write_results
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Frames, Latent
from tubelet.video.pixels import from_model, to_model

SEED = 20_261_130


def main() -> None:
    """Measure, and print a row for each number of channels."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--tokenizer", default="tubelet-m-vae")
    parser.add_argument("--channels", type=int, nargs="+", default=[4, 8, 16, 32, 64])
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    tokenizer = tubelet.load(arguments.tokenizer)
    rows: dict[str, dict[str, dict[str, float]]] = {str(count): {} for count in arguments.channels}
    for path in find_clips(arguments.clips):
        frames = open_clip(path, PROTOCOLS["short256x33"]).frames
        for count, found in of_clip(tokenizer, frames, arguments.channels).items():
            rows[str(count)][path.name] = found
        print(f"{path.name}: done", flush=True)
    means = {
        count: {key: fmean(row[key] for row in clips.values()) for key in next(iter(clips.values()))}
        for count, clips in rows.items()
    }
    for count, found in means.items():
        print(f"{count:>3} channels  " + "  ".join(f"{key} {value:.4g}" for key, value in found.items()))
    if arguments.output is not None:
        figures = {"tokenizer": arguments.tokenizer, "channels": rows, "means": means}
        write_results(arguments.output, protocol="short256x33", figures=figures)


@torch.no_grad()
def of_clip(
    tokenizer: ContinuousTokenizer, frames: Frames, channels: list[int]
) -> dict[int, dict[str, float]]:
    """The figures of a clip at each number of channels."""
    posterior = tokenizer.posterior(to_model(frames))
    drawn = posterior.sample(torch.Generator().manual_seed(SEED))
    nats = kl_per_value(posterior.mean, posterior.log_variance)
    deviation = (posterior.log_variance / 2).exp()
    return {
        count: {
            "psnr_db of the mean": _psnr(tokenizer, posterior.mean[:, :count], frames),
            "psnr_db of a draw": _psnr(tokenizer, drawn[:, :count], frames),
            "nats": _mean(nats, count),
            "deviation": _mean(deviation, count),
        }
        for count in channels
    }


def _mean(values: Tensor, count: int) -> float:
    return float(values[:, :count].mean())


def _psnr(tokenizer: ContinuousTokenizer, latent: Latent, frames: Frames) -> float:
    length, height, width = frames.shape[:3]
    metric = ClipPSNR()
    metric.update(frames, from_model(tokenizer.decode(latent, frames=length, height=height, width=width)))
    return metric.compute()


if __name__ == "__main__":
    main()
