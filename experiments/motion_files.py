"""What files take along motion at equal PSNR, beside those of the plain transform with the same options.

    python experiments/motion_files.py CLIPS -o FIGURES.json [--contrast 0]

Each clip is encoded at several qualities (`tubelet encode --quality`) with both tokenizers. How many percent
more bits motion takes, below zero if it saves, is the mean difference of the logarithms of the bits at equal
PSNR, over what both curves reach (`tubelet.metrics.bd_rate`), headers counted: of files as they are written,
with the priors that ship, and by tables alone; over all, and between neighbouring qualities of the plain
transform. Curves that the output holds already are not measured again, so an interrupted run goes on.
"""

import argparse
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from rate_distortion import Setting, classes_of_motion, stored_clips, through_file

from tubelet.checkpoint import Checkpoint, read_continuous
from tubelet.codec.budget import Quality
from tubelet.codec.contrast import CONTRAST
from tubelet.data.clips import find_clips
from tubelet.errors import OptionError
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import find_protocol
from tubelet.metrics.bd_rate import RatePoint, bd_rate
from tubelet.metrics.psnr import ClipPSNR
from tubelet.results import write_results
from tubelet.types import Frames

QUALITIES = (6, 12, 20, 30)

RATES = ("bits_per_pixel", "bits_per_pixel_by_tables")

Curve = dict[str, dict[str, float]]
"""By quality: PSNR and rates of a clip."""


def main() -> None:
    """Measure every clip that is not measured yet, and write what there is after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, help="folder of clips")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--motion", default="klt-4x8x8-motion")
    parser.add_argument("--plain", default="klt-4x8x8")
    parser.add_argument("--contrast", type=float, default=CONTRAST, help="as of `tubelet encode`")
    parser.add_argument("--qualities", nargs="+", type=int, default=list(QUALITIES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    levels = [float(level) for level in arguments.qualities]
    protocol = find_protocol("short256x33")
    plain, motion = (read_continuous(name) for name in (arguments.plain, arguments.motion))
    systems = f"{motion.name} over {plain.name}, contrast {arguments.contrast:g}"
    described = f"{protocol.name} v{protocol.version}, {systems}"
    clips = stored_clips(arguments.output, described)
    classes = classes_of_motion(arguments.clips)
    for path in find_clips(arguments.clips):
        clip = clips.setdefault(path.name, {"motion": classes.get(path.name, ""), "curves": {}})
        for each in (plain, motion):
            if each.name not in clip["curves"]:
                settings = [Setting(budget=Quality(level=q), contrast=arguments.contrast) for q in levels]
                clip["curves"][each.name] = _curve(open_clip(path, protocol).frames, each, settings)
        clip["more_percent"] = _spans(clip["curves"][plain.name], clip["curves"][motion.name])
        print(path.name, clip["more_percent"], flush=True)
        figures = {"means": _means(clips), "clips": clips}
        write_results(arguments.output, protocol=described, figures=figures, force=True)
    print(_means(clips))


def _curve(frames: Frames, checkpoint: Checkpoint, settings: list[Setting]) -> Curve:
    """PSNR and bits of a clip at each quality."""
    curve: Curve = {}
    for setting in settings:
        through = through_file(frames, checkpoint, setting)
        psnr = ClipPSNR()
        psnr.update(frames, through.frames)
        assert isinstance(setting.budget, Quality)
        curve[f"quality={setting.budget.level:g}"] = {"psnr_db": psnr.compute(), **through.bits}
    return curve


def _spans(anchor: Curve, test: Curve) -> dict[str, dict[str, float]]:
    """How many percent more bits the second takes, over all qualities and between two of the first each."""
    levels = list(anchor)
    spans = {"all": levels} | {f"{one} to {other}": [one, other] for one, other in pairwise(levels)}
    found: dict[str, dict[str, float]] = {}
    for name, some in spans.items():
        for rate in RATES:
            points = [
                [RatePoint(each[rate], each["psnr_db"]) for each in curve]
                for curve in ([anchor[level] for level in some], test.values())
            ]
            try:
                found.setdefault(name, {})[rate] = round(bd_rate(*points), 2)
            except OptionError as error:
                print(f"{name}, {rate}, not compared: {error}", flush=True)
    return found


def _means(clips: dict[str, dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """The mean over the clips of each class of motion, and over all: by class, span of qualities and rate."""
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for clip in clips.values():
        for span, rates in clip.get("more_percent", {}).items():
            for rate, percent in rates.items():
                for name in (clip["motion"], "all"):
                    found[name, span, rate].append(percent)
    means: dict[str, dict[str, dict[str, float]]] = {}
    for (name, span, rate), percents in sorted(found.items()):
        means.setdefault(name, {}).setdefault(span, {})[rate] = round(fmean(percents), 2)
    return means


if __name__ == "__main__":
    main()
