"""Rate and distortion of files: tables, the prior, budgets and rounding, beside x264 and x265.

    python experiments/rate_distortion.py CLIPS -o FIGURES.json [--protocol native-all --frames 9]

Every point of ours is a `.tube` file that was written and read, headers counted. A file is measured once
and its bytes twice: as it was written, with the prior of its tokenizer, and as `tubelet transcode` writes the
same symbols with tables alone. PSNR is over a clip's frames, MS-SSIM and VMAF are means over them; all are of
8-bit RGB.

Points that the output holds already are not measured again, so an interrupted run goes on. The page
docs/rate-distortion.md is made of what this writes, by `make figures`.
"""

import argparse
import csv
import json
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import torch

from tubelet.checkpoint import Checkpoint, read_continuous
from tubelet.codec.budget import Budget, MeanChannels, Quality
from tubelet.codec.contrast import CONTRAST
from tubelet.codec.encode import encode_file
from tubelet.codec.rounding import StepSymbols
from tubelet.codec.transcode import transcode_file
from tubelet.codec.tube import open_tube
from tubelet.data.clips import find_clips
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import find_protocol
from tubelet.evaluate.systems.codec import open_codec
from tubelet.evaluate.systems.system_specs import codec_spec
from tubelet.evaluate.tags import find_manifest
from tubelet.metrics.ms_ssim import ClipMSSSIM
from tubelet.metrics.psnr import ClipPSNR
from tubelet.metrics.vmaf import ClipVMAF
from tubelet.results import write_results
from tubelet.types import Frames

CHANNELS = (4, 8, 16, 32)
QUALITIES = (14, 20, 27, 34)
RATES = (20, 28, 36, 44)
CONTRASTS = (0.25, 0.5, 1.0)
"""Beside the usual one."""


class Setting(NamedTuple):
    """How a file is made.

    Attributes:
        channels: as many everywhere, at step 1; none for what a budget chooses.
        budget: what the file may take.
        nearest: whether symbols are rounded to the nearest, and not by what bits are worth.
        contrast: how much less errors count where there is contrast; as files are made by default.
        alike: whether errors of all channels count alike, and fine detail as much as any.
    """

    channels: int | None = None
    budget: Budget | None = None
    nearest: bool = False
    contrast: float = CONTRAST
    alike: bool = False


WAYS = {f"contrast={contrast:g}": Setting(contrast=contrast) for contrast in CONTRASTS} | {
    "alike": Setting(alike=True),
    "alike,contrast=0.25": Setting(alike=True, contrast=0.25),
    "alike,nearest": Setting(alike=True, nearest=True),
}
"""Other ways to decide within a budget, by what stands behind the comma of a setting's name."""

SETTINGS = (
    {f"@{k}": Setting(channels=k) for k in CHANNELS}
    | {f"quality={level}": Setting(budget=Quality(level=level)) for level in QUALITIES}
    | {f"budget={k}": Setting(budget=MeanChannels(channels=k)) for k in CHANNELS}
    | {
        f"quality={level},{way}": setting._replace(budget=Quality(level=level))
        for way, setting in WAYS.items()
        for level in QUALITIES
    }
    | {
        f"budget={k},{way}": setting._replace(budget=MeanChannels(channels=k))
        for way, setting in WAYS.items()
        for k in CHANNELS
    }
)


def main() -> None:
    """Measure every clip that is not measured yet, and write what there is after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, help="folder of clips")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--tokenizer", default="tubelet-m")
    parser.add_argument("--number", type=int, help="of clips; all by default")
    parser.add_argument("--protocol", default="short256x33")
    parser.add_argument("--frames", type=int, help="of each clip; those of the protocol by default")
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--rates", nargs="*", type=int, default=list(RATES), help="crf of x264 and x265")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    protocol = find_protocol(arguments.protocol)
    if arguments.frames is not None:
        protocol = replace(protocol, frames=arguments.frames)
    checkpoint = read_continuous(arguments.tokenizer)
    described = f"{protocol.name} v{protocol.version}, {protocol.frames or 'all'} frames, {checkpoint.name}"
    figures = {"protocol": described, "clips": stored_clips(arguments.output, described)}
    motion = classes_of_motion(arguments.clips)
    codecs = [f"{codec}:crf={crf}" for codec in ("x264", "x265") for crf in arguments.rates]
    for path in find_clips(arguments.clips)[: arguments.number]:
        stored = figures["clips"].setdefault(path.name, {"points": {}})
        lacking = [name for name in (*arguments.settings, *codecs) if name not in stored["points"]]
        if not lacking:
            continue
        frames = open_clip(path, protocol).frames
        stored |= {"motion": motion.get(path.name, ""), "shape": list(frames.shape[:3])}
        for name in lacking:
            setting = SETTINGS.get(name)
            point = _of_codec(frames, name) if setting is None else _of_file(frames, checkpoint, setting)
            stored["points"][name] = point
            print(path.name, name, f"{point['psnr_db']:.2f} dB", flush=True)
            write_results(arguments.output, protocol=described, figures=figures, force=True)


class ThroughFile(NamedTuple):
    """A clip that came out of a file.

    Attributes:
        frames: of it.
        bits: what the file takes for each pixel: as it was written, and by tables alone.
    """

    frames: Frames
    bits: dict[str, float]


def through_file(frames: Frames, checkpoint: Checkpoint, setting: Setting) -> ThroughFile:
    """A clip through a file, and what the file takes with and without the prior."""
    with tempfile.TemporaryDirectory(prefix="tubelet-") as folder:
        source, tube, tables = (Path(folder) / name for name in ("a.npy", "a.tube", "b.tube"))
        np.save(source, frames, allow_pickle=False)
        with ExitStack() as patches:
            if setting.nearest:
                patches.enter_context(patch("tubelet.codec.allocate.nearer_to_zero", _nearest))
            if setting.alike:
                patches.enter_context(patch("tubelet.codec.allocate.detail_weights", np.ones))
            report = encode_file(
                source,
                tube,
                tokenizer=checkpoint,
                channels=setting.channels,
                budget=setting.budget,
                contrast=setting.contrast,
            )
        with open_tube(tube, tokenizer=checkpoint) as opened:
            back = np.concatenate([run.frames for run in opened.read()])
        without = transcode_file(tube, tables, prior_for=None).bytes_total
    sizes = {"bits_per_pixel": report.bytes_total, "bits_per_pixel_by_tables": without}
    return ThroughFile(back, {name: 8 * size / frames[..., 0].size for name, size in sizes.items()})


def _of_file(frames: Frames, checkpoint: Checkpoint, setting: Setting) -> dict[str, float]:
    """The figures of a clip through a file."""
    through = through_file(frames, checkpoint, setting)
    return {**_qualities(frames, through.frames), **through.bits}


def _nearest(scaled: object, symbols: StepSymbols, **_: object) -> StepSymbols:
    """What `tubelet.codec.rounding.nearer_to_zero` would be if bits were worth nothing."""
    del scaled
    return symbols


def _of_codec(frames: Frames, text: str) -> dict[str, float]:
    """A clip through a video codec at 24 frames per second; bytes of the elementary stream."""
    back = open_codec(codec_spec(text)).reconstruct(frames, Fraction(24))
    bits = 8 * (back.bytes_on_disk or 0) / frames[..., 0].size
    return {**_qualities(frames, back.frames), "bits_per_pixel": bits}


def _qualities(frames: Frames, back: Frames) -> dict[str, float]:
    metrics = {"psnr_db": ClipPSNR(), "ms_ssim": ClipMSSSIM(), "vmaf": ClipVMAF(threads=1)}
    for metric in metrics.values():
        metric.update(frames, back)
    return {name: metric.compute() for name, metric in metrics.items()}


def stored_clips(output: Path, described: str) -> dict[str, dict]:
    """The clips that were measured before in the same way."""
    if not output.exists():
        return {}
    stored = json.loads(output.read_text(encoding="utf-8"))
    if stored["protocol"] != described:
        raise SystemExit(f"{output} holds figures of {stored['protocol']}; name another file.")
    return stored["figures"]["clips"]


def classes_of_motion(folder: Path) -> dict[str, str]:
    """The class of motion of each clip, by the manifest beside it."""
    manifest = find_manifest(folder)
    if manifest is None:
        return {}
    with manifest.open(encoding="utf-8", newline="") as file:
        return {row["file"]: row["motion"] for row in csv.DictReader(file)}


if __name__ == "__main__":
    main()
