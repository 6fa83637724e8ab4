"""What budgets gain: quality and bits of files with a budget beside files with the same channels everywhere.

    python experiments/budgets.py CLIPS -o budgets.json

Clips are prepared as the protocol short256x33 says (33 frames, short side 256). Every figure is of a `.tube`
file that was written and read, headers counted. PSNR is over a clip's frames and MS-SSIM their mean, in 8-bit
RGB; MS-SSIM is given as -10 log10(1 - MS-SSIM), in dB, so that BD-rates are of about straight curves.
"""

import argparse
import re
from collections.abc import Iterable
from fractions import Fraction
from math import log10
from pathlib import Path

from tubelet.data.clips import find_clips
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import find_protocol
from tubelet.evaluate.systems.opening import open_system
from tubelet.evaluate.systems.system import Setting, System
from tubelet.metrics.bd_rate import RatePoint, bd_rate
from tubelet.metrics.ms_ssim import ClipMSSSIM
from tubelet.metrics.psnr import ClipPSNR
from tubelet.results import write_results
from tubelet.types import Frames

CHANNELS = (4, 8, 16, 32)

QUALITIES = ("psnr", "ms_ssim")


def main() -> None:
    """Measure every system on every clip, and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, help="folder of clips")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--tokenizer", default="tubelet-m")
    parser.add_argument("--with", nargs="+", dest="systems", help="systems instead of the usual ones")
    arguments = parser.parse_args()
    name = arguments.tokenizer
    systems = arguments.systems or [
        *(f"{name}@{k}:step=1,prior=false" for k in CHANNELS),
        *(f"{name}:budget={k},prior=false" for k in CHANNELS),
    ]
    figures: dict[str, dict[str, dict[str, float]]] = {}
    protocol = find_protocol("short256x33")
    opened = {text: open_system(text, Setting(at_once=False)) for text in systems}
    for path in find_clips(arguments.clips):
        clip = open_clip(path, protocol)
        figures[path.name] = {text: _measured(system, clip.frames) for text, system in opened.items()}
        print(path.name, *(f"{found['psnr']:.2f}" for found in figures[path.name].values()), flush=True)
    means = {
        text: {key: _mean(each[text][key] for each in figures.values()) for key in ("bpp", *QUALITIES)}
        for text in systems
    }
    for text, found in means.items():
        print(f"{text:40} {found['psnr']:.2f} {found['ms_ssim']:.2f} dB  {found['bpp']:.4f} bits per pixel")
    for quality in QUALITIES:
        for curve, percent in _bd_rates(means, quality).items():
            print(f"{curve:40} {percent:+.1f} % bits at equal {quality}")
    write_results(
        arguments.output, protocol="budgets", figures={"clips": figures, "means": means}, force=True
    )


def _measured(system: System, frames: Frames) -> dict[str, float]:
    """PSNR and MS-SSIM in dB, and bits per pixel of the file."""
    back = system.reconstruct(frames, Fraction(24))
    psnr, ms_ssim = ClipPSNR(), ClipMSSSIM()
    psnr.update(frames, back.frames)
    ms_ssim.update(frames, back.frames)
    return {
        "psnr": psnr.compute(),
        "ms_ssim": -10 * log10(1 - ms_ssim.compute()),
        "bpp": 8 * (back.bytes_on_disk or 0) / frames[..., 0].size,
    }


def _bd_rates(means: dict[str, dict[str, float]], quality: str) -> dict[str, float]:
    """BD-rate of each curve against the first: systems whose texts differ in one number are a curve."""
    curves: dict[str, list[RatePoint]] = {}
    for text, found in means.items():
        curve = re.sub(r"([@=])[0-9.]+", r"\1…", text, count=1)
        curves.setdefault(curve, []).append(RatePoint(found["bpp"], found[quality]))
    several = {curve: sorted(points) for curve, points in curves.items() if len(points) > 1}
    first, *others = several
    return {other: bd_rate(several[first], several[other]) for other in others}


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


if __name__ == "__main__":
    main()
