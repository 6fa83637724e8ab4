"""What files take along motion at equal PSNR, beside those of the plain transform with the same options.

    python experiments/motion_files.py CLIPS -o FIGURES.json

Each clip is encoded at several qualities (`tubelet encode --quality`) with both tokenizers. How many percent
more bits motion takes, below zero if it saves, is the mean difference of the logarithms of the bits at equal
PSNR, over what both curves reach (`tubelet.metrics.bd_rate`), headers counted: of files as they are written,
with the priors that ship, and by tables alone. Clips that the output holds already are not measured again, so
an interrupted run goes on.
"""

import argparse
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from rate_distortion import Setting, classes_of_motion, stored_clips, through_file

from tubelet.checkpoint import Checkpoint, read_continuous
from tubelet.codec.budget import Quality
from tubelet.data.clips import find_clips
from tubelet.errors import OptionError
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import find_protocol
from tubelet.metrics.bd_rate import RatePoint, bd_rate
from tubelet.metrics.psnr import ClipPSNR
from tubelet.results import write_results
from tubelet.types import Frames

QUALITIES = (6, 10, 14, 18, 24, 30, 36)

RATES = ("bits_per_pixel", "bits_per_pixel_by_tables")


def main() -> None:
    """Measure every clip that is not measured yet, and write what there is after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, help="folder of clips")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--motion", default="klt-4x8x8-motion")
    parser.add_argument("--plain", default="klt-4x8x8")
    parser.add_argument("--qualities", nargs="+", type=int, default=list(QUALITIES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    protocol = find_protocol("short256x33")
    plain, motion = (read_continuous(name) for name in (arguments.plain, arguments.motion))
    described = f"{protocol.name} v{protocol.version}, {motion.name} over {plain.name}"
    clips = stored_clips(arguments.output, described)
    classes = classes_of_motion(arguments.clips)
    for path in find_clips(arguments.clips):
        if path.name in clips:
            continue
        frames = open_clip(path, protocol).frames
        curves = {
            checkpoint.name: _curve(frames, checkpoint, arguments.qualities) for checkpoint in (plain, motion)
        }
        more = {rate: _more(curves[plain.name], curves[motion.name], rate) for rate in RATES}
        clips[path.name] = {"motion": classes.get(path.name, ""), "more_percent": more, "curves": curves}
        print(path.name, *(f"{name} {percent}" for name, percent in more.items()), flush=True)
        figures = {"means": _means(clips), "clips": clips}
        write_results(arguments.output, protocol=described, figures=figures, force=True)
    print(_means(clips))


def _curve(frames: Frames, checkpoint: Checkpoint, qualities: list[int]) -> dict[str, dict[str, float]]:
    """PSNR and bits of a clip at each quality."""
    curve: dict[str, dict[str, float]] = {}
    for level in qualities:
        through = through_file(frames, checkpoint, Setting(budget=Quality(level=level)))
        psnr = ClipPSNR()
        psnr.update(frames, through.frames)
        curve[f"quality={level}"] = {"psnr_db": psnr.compute(), **through.bits}
    return curve


def _more(anchor: dict[str, dict[str, float]], test: dict[str, dict[str, float]], rate: str) -> float | None:
    """How many percent more bits the second takes; none where the curves have no quality in common."""
    points = [[RatePoint(each[rate], each["psnr_db"]) for each in curve.values()] for curve in (anchor, test)]
    try:
        return round(bd_rate(*points), 2)
    except OptionError as error:
        print(f"not compared: {error}", flush=True)
        return None


def _means(clips: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """The mean of the clips of each class of motion, and of all."""
    means: dict[str, dict[str, float]] = {}
    for rate in RATES:
        found = [
            (clip["motion"], clip["more_percent"][rate])
            for clip in clips.values()
            if clip["more_percent"][rate] is not None
        ]
        for name in sorted({motion for motion, _ in found} | {"all"} if found else ()):
            means.setdefault(name, {})[rate] = round(
                fmean(more for motion, more in found if name in (motion, "all")), 2
            )
    return means


if __name__ == "__main__":
    main()
