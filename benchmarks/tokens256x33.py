"""Quality and use of discrete tokenizers: `python benchmarks/tokens256x33.py FOLDER [TOKENIZER ...]`.

`--untrained RECIPE --data DATA` measures what a recipe starts as, its floor. Writes JSON, in which the
figures of other tokenizers stay, and prints a Markdown table.
"""

import argparse
import math
import statistics
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from short256x33 import METRICS, earlier_figures, first_frames

from tubelet.checkpoint import load, load_discrete
from tubelet.data.clips import find_clips
from tubelet.data.crops import open_crops
from tubelet.errors import LossWarning
from tubelet.metrics.psnr import ClipPSNR
from tubelet.metrics.usage import DigitUsage
from tubelet.recipes.table import make_config
from tubelet.results import circumstances, write_results
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.train.tokenizer.start import fitted_quantizer, start_from_crops
from tubelet.train.tokenizer.token_figures import figures_to_json
from tubelet.types import Frames
from tubelet.video.pixels import from_model, to_model
from tubelet.video.read import read
from tubelet.video.resize import shrink_to_short_side

PROTOCOL = (
    "tokens256x33: the clips, sizes and metrics of short256x33; tokens by the tokenizer in float32. Usage, "
    "perplexity, entropies and total correlation (bits) are of all tokens of all clips together; "
    "nominal_bits_per_pixel is log2 of the codebook, entropy_bits_per_pixel the sum of the digits' "
    "zeroth-order entropies, each over the pixels that a position stands for. quantize_share is the time of "
    "quantize over that of the backbone's encode, the median over the clips. long, where it is there, is the "
    "use of the codebook over the first frames of each clip, as many as it says, in one stream per clip."
)


def main() -> None:
    """Measure and write benchmarks/results/tokens256x33.json."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=PROTOCOL)
    parser.add_argument("folder", type=Path)
    parser.add_argument("tokenizers", nargs="*")
    parser.add_argument("-o", type=Path, default=Path("benchmarks/results/tokens256x33.json"))
    parser.add_argument("--untrained", nargs="*", default=[], metavar="RECIPE")
    parser.add_argument("--data", type=Path, help="prepared crops that an untrained one is fitted to")
    parser.add_argument("--long", type=int, metavar="FRAMES", help="count the tokens of so many frames too")
    parser.add_argument("--psnr-only", action="store_true", help="leave the other metrics out")
    arguments = parser.parse_args()
    if arguments.untrained and arguments.data is None:
        parser.error("--untrained needs --data: prepared crops that the quantiser is fitted to.")
    warnings.simplefilter("ignore", LossWarning)
    paths = find_clips(arguments.folder)
    figures = earlier_figures(arguments.o, {path.name for path in paths}, protocol=PROTOCOL)
    clips = {path.name: first_frames(path) for path in paths}
    tokenizers = {f"{name} untrained": untrained(name, arguments.data) for name in arguments.untrained}
    tokenizers |= {name: load_discrete(name) for name in arguments.tokenizers}
    metrics = {"psnr_db": ClipPSNR} if arguments.psnr_only else METRICS
    for name, tokenizer in tokenizers.items():
        print(f"## {name}", flush=True)
        figures[name] = measure(tokenizer, clips, metrics)
        if arguments.long:
            figures[name]["long"] = long_use(tokenizer, paths, arguments.long)
        write_results(arguments.o, protocol=PROTOCOL, figures={"clips": len(clips), "tokenizers": figures})
    print(table({name: figures[name] for name in tokenizers}))


def untrained(recipe: str, data: Path) -> DiscreteTokenizer:
    """What a recipe starts as: the linear tokenizer, and a quantiser that was fitted to its latents."""
    config = make_config(recipe)
    if config.quantizer is None:
        raise SystemExit(f"recipe {recipe} makes no tokens; name one with a quantiser, such as fsq.")
    crops = open_crops(data)
    linear = None if config.linear is None else load(config.linear)
    backbone = start_from_crops(config.model, crops, seed=config.seed, linear=linear)
    quantizer = fitted_quantizer(config.quantizer, backbone, crops, seed=config.seed)
    return DiscreteTokenizer(backbone, quantizer).eval().requires_grad_(requires_grad=False)


def measure(
    tokenizer: DiscreteTokenizer, clips: Mapping[str, Frames], metrics: Mapping[str, Any]
) -> dict[str, Any]:
    """Every figure of one tokenizer."""
    tables: dict[str, dict[str, dict[str, float]]] = {metric: {"all": {}} for metric in metrics}
    pooled, usage, shares = ClipPSNR(), DigitUsage(tokenizer.bases), []
    for clip, frames in clips.items():
        length, height, width = frames.shape[:3]
        began = time.perf_counter()
        latent = tokenizer.backbone.encode(to_model(frames))
        encoded = time.perf_counter()
        digits = tokenizer.quantizer.quantize(latent)
        shares.append((time.perf_counter() - encoded) / (encoded - began))
        usage.update(digits)
        video = tokenizer.backbone.decode(
            tokenizer.quantizer.dequantize(digits), frames=length, height=height, width=width
        )
        decoded = from_model(video)
        pooled.update(frames, decoded)
        for name, make in metrics.items():
            metric = make()
            metric.update(frames, decoded)
            tables[name]["all"][clip] = round(metric.compute(), 5)
        print(f"{clip}  {tables['psnr_db']['all'][clip]:.2f} dB", flush=True)
    tokens = figures_to_json(usage.compute())
    pixels = math.prod(tokenizer.stride)
    means = {f"mean_{name}": float(np.mean(list(each["all"].values()))) for name, each in tables.items()}
    return {
        **{name: round(value, 5) for name, value in means.items()},
        "pooled_psnr_db": round(pooled.compute(), 5),
        "nominal_bits_per_pixel": round(math.log2(tokens["size"]) / pixels, 6),
        "entropy_bits_per_pixel": round(sum(tokens["digit_entropies"]) / pixels, 6),
        "quantize_share": round(statistics.median(shares), 5),
        "tokens": tokens,
        **tables,
        "circumstances": circumstances(),
    }


def long_use(tokenizer: DiscreteTokenizer, paths: Sequence[Path], frames: int) -> dict[str, Any]:
    """The use of the codebook over more of each clip, of the same size."""
    usage = DigitUsage(tokenizer.bases)
    for path in paths:
        stream = tokenizer.stream_encoder()
        for run in read(path, stop=frames):
            usage.update(stream.push_frames(shrink_to_short_side(run.frames.copy(), 256)))
        usage.update(stream.finish())
    return {"frames": frames, "tokens": figures_to_json(usage.compute())}


def table(figures: Mapping[str, dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| tokenizer | PSNR, dB | usage | of tokens | perplexity | bits per pixel: nominal | entropy |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, each in figures.items():
        tokens = each["tokens"]
        lines.append(
            f"| {name} | {each['mean_psnr_db']:.2f} | {100 * tokens['share']:.1f} % | {tokens['count']} | "
            f"{tokens['perplexity']:.0f} | {each['nominal_bits_per_pixel']:.4f} | "
            f"{each['entropy_bits_per_pixel']:.4f} |"
        )
        if "long" in each:
            tokens = each["long"]["tokens"]
            lines.append(
                f"| {name}, {each['long']['frames']} frames | | {100 * tokens['share']:.1f} % | "
                f"{tokens['count']} | {tokens['perplexity']:.0f} | | |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    with torch.no_grad():
        main()
