"""Quality of a tokenizer on a folder of clips: `python benchmarks/short256x33.py FOLDER [TOKENIZER ...]`.

Writes JSON after every tokenizer and prints a Markdown table at the end. The file keeps the figures of other
tokenizers that it holds already; those of a tokenizer that is measured again are replaced, all of them.
"""

import argparse
import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import torch

import tubelet
from tubelet.data.clips import find_clips
from tubelet.errors import LossWarning
from tubelet.metrics.difference import ClipDifferencePSNR
from tubelet.metrics.ms_ssim import ClipMSSSIM
from tubelet.metrics.psnr import ClipPSNR
from tubelet.metrics.tof import ClipTOF
from tubelet.results import circumstances, write_results
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Frames
from tubelet.video.pixels import from_model, to_model
from tubelet.video.read import read
from tubelet.video.resize import shrink_to_short_side

PROTOCOL = (
    "short256x33: the first 33 frames of each clip, accurate colour conversion, area filter to a short "
    "side of 256 (never up), rounded to 8 bits; the latent is not quantised; the output is rounded to 8 "
    "bits. Of every clip: psnr_db, 10 log10(255^2 / mean squared error over the clip's RGB); ms_ssim, of "
    "RGB, the mean over the frames; difference_psnr_db, the PSNR of the differences of consecutive "
    "frames, range 255; tof_px, mean distance between the optical flows (OpenCV DIS, preset MEDIUM) of "
    "the clip and of the output. mean_* is the mean over the clips; pooled_psnr_db takes the mean squared "
    "error over the samples of all clips."
)
FRAMES = 33
CHANNELS = (4, 8, 16, 32, 48, 64, 128, 256)
REFERENCE = {4: 23.45, 8: 27.05, 16: 29.23, 32: 32.02, 48: 34.18, 64: 35.84}
"""An independent PCA at stride 4x8x8 on the same clips, as the issue "Main job" states it."""

METRICS = {
    "psnr_db": ClipPSNR,
    "ms_ssim": ClipMSSSIM,
    "difference_psnr_db": ClipDifferencePSNR,
    "tof_px": ClipTOF,
}
COLUMNS = {
    "mean_psnr_db": ("PSNR, dB", 2),
    "pooled_psnr_db": ("pooled PSNR, dB", 2),
    "mean_ms_ssim": ("MS-SSIM", 4),
    "mean_difference_psnr_db": ("difference PSNR, dB", 2),
    "mean_tof_px": ("tOF, px", 3),
}
"""Of the table: heading and digits."""

Figures = dict[str, Any]
"""Of one tokenizer, as they are in the file; by number of channels, as text."""


def main() -> None:
    """Measure and write benchmarks/results/short256x33.json."""
    arguments = parse()
    warnings.simplefilter("ignore", LossWarning)
    paths = find_clips(arguments.folder)
    figures = earlier_figures(arguments.o, {path.name for path in paths})
    clips = {path.name: first_frames(path) for path in paths}
    metrics = {"psnr_db": ClipPSNR} if arguments.psnr_only else METRICS
    names = list(arguments.tokenizers)
    if arguments.floor is not None and arguments.floor not in {*figures, *names}:
        names.insert(0, arguments.floor)
    measured = {}
    for name in names:
        tokenizer = tubelet.load(name)
        label = name
        if arguments.bfloat16 and not (tokenizer.encoder is None and tokenizer.decoder is None):
            tokenizer.networks_to(torch.bfloat16)
            label = f"{name} bfloat16"
        print(f"## {label}", flush=True)
        measured[label] = measure(tokenizer, clips, sorted(set(arguments.channels)), metrics)
        figures |= measured
        write_results(
            arguments.o,
            protocol=PROTOCOL,
            figures={
                "clips": len(clips),
                "tokenizers": figures,
                "reference_mean_psnr_db_at_4x8x8": REFERENCE,
            },
        )
    print(table(measured, arguments.floor, figures.get(arguments.floor or "")))


def parse() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=PROTOCOL)
    parser.add_argument("folder", type=Path)
    parser.add_argument("tokenizers", nargs="*", default=["klt-4x8x8"])
    parser.add_argument("-o", type=Path, default=Path("benchmarks/results/short256x33.json"))
    parser.add_argument("--channels", type=int, nargs="+", default=CHANNELS, help="numbers of them to keep")
    parser.add_argument("--floor", help="a tokenizer to print gains over, measured if it is not in the file")
    parser.add_argument("--bfloat16", action="store_true", help="let networks compute in bfloat16")
    parser.add_argument("--psnr-only", action="store_true", help="leave the other metrics out")
    return parser.parse_args()


def earlier_figures(path: Path, clips: set[str], *, protocol: str = PROTOCOL) -> dict[str, Figures]:
    """The figures that a file holds already, by tokenizer; ends the program if they are of another kind."""
    if not path.exists():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    figures = content["figures"]["tokenizers"]
    found = {clip for each in figures.values() for by_clip in each["psnr_db"].values() for clip in by_clip}
    if content["protocol"] != protocol or found != clips:
        what = "on other clips" if content["protocol"] == protocol else "by another protocol"
        raise SystemExit(
            f"{path} was measured {what}; its figures cannot stand beside new ones. Move it away, or name "
            "another file with -o."
        )
    return figures


def first_frames(path: Path) -> Frames:
    """The frames of a clip that the protocol compares."""
    frames = np.concatenate([run.frames.copy() for run in read(path, stop=FRAMES)])
    return shrink_to_short_side(frames, 256)


def measure(
    tokenizer: ContinuousTokenizer,
    clips: Mapping[str, Frames],
    channels: Sequence[int],
    metrics: Mapping[str, Callable[[], Any]],
) -> Figures:
    """Every metric at every number of channels that the tokenizer has."""
    counts = [count for count in channels if count <= tokenizer.channels]
    tables: dict[str, dict[str, dict[str, float]]]
    tables = {metric: {str(count): {} for count in counts} for metric in metrics}
    pooled = {str(count): ClipPSNR() for count in counts}
    for clip, frames in clips.items():
        length, height, width = frames.shape[:3]
        latent = tokenizer.encode(to_model(frames))
        for count in counts:
            video = tokenizer.decode(latent[:, :count], frames=length, height=height, width=width)
            decoded = from_model(video)
            pooled[str(count)].update(frames, decoded)
            for name, make in metrics.items():
                metric = make()
                metric.update(frames, decoded)
                tables[name][str(count)][clip] = metric.compute()
        psnrs = (f"{count}: {by_clip[clip]:.2f}" for count, by_clip in tables["psnr_db"].items())
        print(f"{clip}  {'  '.join(psnrs)} dB", flush=True)
    means = {f"mean_{name}": means_of(by_count) for name, by_count in tables.items()}
    return {
        **means,
        "pooled_psnr_db": {count: round(psnr.compute(), 5) for count, psnr in pooled.items()},
        "monotone": rises(tables["psnr_db"]),
        **{name: rounded(by_count) for name, by_count in tables.items()},
        "circumstances": circumstances(),
    }


def means_of(by_count: dict[str, dict[str, float]]) -> dict[str, float]:
    """The mean over the clips."""
    return {count: round(float(np.mean(list(clips.values()))), 5) for count, clips in by_count.items()}


def rounded(by_count: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The same with as many digits as anybody reads."""
    return {
        count: {clip: round(value, 5) for clip, value in clips.items()} for count, clips in by_count.items()
    }


def rises(by_count: dict[str, dict[str, float]]) -> bool:
    """Say whether more channels are better on every clip, and where they are not; infinity cannot rise."""
    good = True
    for (fewer, before), (more, after) in pairwise(by_count.items()):
        for clip, value in after.items():
            if value <= before[clip] < math.inf:
                good = False
                print(f"PSNR falls from {before[clip]:.4f} dB at {fewer} to {value:.4f} at {more}: {clip}")
    print(f"PSNR rises with the channels on every clip: {'yes' if good else 'NO'}")
    return good


def table(figures: Mapping[str, Figures], floor: str | None, base: Figures | None) -> str:
    """Markdown; with a floor, the differences to it in brackets, and the least gain in PSNR of a clip."""
    columns = {key: each for key, each in COLUMNS.items() if any(key in found for found in figures.values())}
    heads = ["tokenizer", "channels", *(head for head, _ in columns.values())]
    if base is not None:
        heads.append(f"least gain of a clip over {floor}, dB")
    lines = [heads, ["---"] * len(heads)]
    for label, found in figures.items():
        for count in found["mean_psnr_db"]:
            line = [label, count]
            for key, (_, digits) in columns.items():
                values = ((each or {}).get(key, {}).get(count) for each in (found, base))
                line.append(cell(*values, digits=digits))
            if base is not None:
                line.append(least_gain(found["psnr_db"][count], base["psnr_db"].get(count)))
            lines.append(line)
    title = "" if base is None else f"In brackets: difference to {floor}. Of tOF less is better.\n\n"
    return title + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: float | None, base: float | None, *, digits: int) -> str:
    """A value and its difference to the floor; a dash for what was not measured or is infinite."""
    if not finite(value):
        return "-"
    return f"{value:.{digits}f}" + (f" ({value - base:+.{digits}f})" if finite(base) else "")


def least_gain(by_clip: dict[str, float], base: dict[str, float] | None) -> str:
    """In PSNR, of the clips that the floor does not give back without error."""
    gains = [by_clip[clip] - value for clip, value in (base or {}).items() if finite(value)]
    return f"{min(gains):+.2f}" if gains else "-"


def finite(value: float | None) -> TypeGuard[float]:
    """Whether it is a number; the file has null for infinity."""
    return value is not None and math.isfinite(value)


if __name__ == "__main__":
    main()
