"""The page of what files take for what quality: each way of coding a curve, beside video codecs."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from tubelet.errors import OptionError
from tubelet.metrics.bd_rate import RatePoint, bd_rate
from tubelet.report.figures.parts import SCRIPTS, STORED, Page, Part, begun, plain_table
from tubelet.report.markup import ABSENT, Table
from tubelet.report.plots import Curves, Mark, Series

FILES = {
    "Everyday clips": ("rates.json", "CLIPS -o FIGURES.json"),
    "Whole frames": ("rates-native.json", "CLIPS -o FIGURES.json --protocol native-all --frames 9"),
}
"""Stored figures by the heading that they stand under, and the arguments of the script that measures them."""

OTHER_WEIGHTS = {"rates.json": ("rates-m-rate.json", "tubelet-m-rate")}
"""Figures of the same clips by another tokenizer, and its name, which its points are called by here."""

BEGIN = f"""\
# Rate and distortion of files

Made by `python -m tubelet.report.figures` from the files in `{STORED}`, not by hand. Every point of ours
is a `.tube` file of `tubelet-m`, or of the tokenizer that its curve names, that was written and read, headers
counted; its bits are bits on disk over pixels of the clip. What the ways of coding are:
[budgets](guides/budgets.md), decisions
[0035](decisions/0035-a-prior-computes-whole-numbers-in-float32.md) and
[0036](decisions/0036-budgets-price-chunks-and-repeat-the-past.md).

These curves do not make a video codec of a tokenizer. They say what it costs to store latents, beside codecs
that were made for storing video.
"""

_READING = """
Means over the clips. BD-rates are how many more bits a curve needs than the first one for the same quality,
below zero if fewer, between the qualities that both of them reach; of MS-SSIM in dB, -10 log10(1 - MS-SSIM).
"""

_UNIFORM = """
Counts everywhere alike (the first two curves) and budgets of channels round at step 1; a quality chooses step
and price together. Rounding by what bits are worth is part of what a quality does. Errors of fine detail
count less (decision 0076), and contrast counts for nothing (decision 0070), unless a curve says otherwise.
"""


_PUBLISHED = {
    "ElasticTok, arXiv:2410.08368": "video: 2.4 to 5 times fewer tokens for as many good clips",
    "AdapTok, arXiv:2505.17011": "UCF-101: rFVD 60 at 512 tokens a clip, 36 at 1024, 28 at 2048",
    "EVATok, arXiv:2603.12267": "UCF-101: at least 24.4 % fewer tokens",
}
"""What others say of theirs."""

_THEIRS = "Their figures, by their protocols, not measured here; tokens are counted, and no bits of a map."


class Point(NamedTuple):
    """A setting of a curve.

    Attributes:
        setting: as the figures call it.
        rate: as they call its bits.
    """

    setting: str
    rate: str


class Measure(NamedTuple):
    """A quality.

    Attributes:
        name: as the figures call it.
        head: of its column.
        of: makes of a figure what grows about evenly with the logarithm of bits.
        digits: that are shown.
    """

    name: str
    head: str
    of: Callable[[float], float]
    digits: int


def _same(value: float) -> float:
    return value


def _decibels(value: float) -> float:
    """An MS-SSIM below 1 in dB."""
    return -10 * math.log10(1 - value)


MEASURES = (
    Measure("psnr_db", "PSNR dB", _same, 2),
    Measure("ms_ssim", "MS-SSIM", _decibels, 4),
    Measure("vmaf", "VMAF", _same, 1),
)

_WITH, _BY_TABLES = "bits_per_pixel", "bits_per_pixel_by_tables"

_OURS = {
    "uniform channels, tables": ("@", "", _BY_TABLES),
    "uniform channels, prior": ("@", "", _WITH),
    "quality (budgets, rounding), tables": ("quality=", "", _BY_TABLES),
    "quality (budgets, rounding), prior": ("quality=", "", _WITH),
    "quality with contrast 0.25, prior": ("quality=", "contrast=0.25", _WITH),
    "quality with contrast 0.5, prior": ("quality=", "contrast=0.5", _WITH),
    "quality by squared errors alone, prior": ("quality=", "alike", _WITH),
    "quality by squared errors, contrast 0.25, prior": ("quality=", "alike,contrast=0.25", _WITH),
    "quality by squared errors, no rounding, prior": ("quality=", "alike,nearest", _WITH),
    "budget of channels, prior": ("budget=", "", _WITH),
    "tubelet-m-rate, uniform channels, prior": ("tubelet-m-rate:@", "", _WITH),
    "tubelet-m-rate by quality, tables": ("tubelet-m-rate:quality=", "", _BY_TABLES),
    "tubelet-m-rate by quality, prior": ("tubelet-m-rate:quality=", "", _WITH),
    "x264": ("x264:", "", _WITH),
    "x265": ("x265:", "", _WITH),
}
"""Curves: how the names of their settings begin, what follows the comma, and which of their bits count."""

_BEST = "quality (budgets, rounding), prior"

Clips = Mapping[str, Mapping[str, Any]]
"""The stored figures of clips, by name."""


def file_rates(stored: Path) -> Page:
    """The page that a folder of stored results makes, and the plots that it shows."""
    parts = [_part(title, stored, *where) for title, where in FILES.items()]
    blocks = [BEGIN.strip(), *(block for part in parts for block in (f"## {part.title}", *part.blocks))]
    others = Part("Adaptive tokenizers of others")
    others.say(_THEIRS)
    rows = {name: [said] for name, said in _PUBLISHED.items()}
    others.show(plain_table("tokenizer", ["tokens against quality"], rows, code=False))
    blocks += [f"## {others.title}", *others.blocks]
    plots = {place: plot for part in parts for place, plot in part.plots.items()}
    return Page("\n\n".join(blocks) + "\n", plots)


def _part(title: str, stored: Path, name: str, arguments: str) -> Part:
    part = Part(title)
    figures = begun(part, stored, name, f"python {SCRIPTS}/rate_distortion.py {arguments}")
    if figures is None:
        return part
    clips: Clips = figures["clips"]
    if name in OTHER_WEIGHTS:
        clips = _with_others(part, stored, clips, *OTHER_WEIGHTS[name])
    curves = curves_of(clips)
    classes = _classes(clips)
    listed = ", ".join(f"{len(each)} of {motion} motion" for motion, each in classes.items())
    part.say(f"{len(clips)} clips: {listed}.")
    part.say(_READING)
    part.say(_UNIFORM)
    part.show(_savings(clips, curves))
    part.plot(f"files-{Path(name).stem}", _plot(clips, curves), says="PSNR against bits per pixel of files")
    part.head("Points")
    part.show(_points(clips, curves))
    part.head("By motion")
    part.say(f"BD-rate of *{_BEST}* by PSNR, over the clips of each class of motion.")
    part.show(_by_motion(classes, curves))
    part.head("Eight channels placed well, beside eight and sixteen everywhere")
    _placed(part, clips, "tubelet-m", "")
    if name in OTHER_WEIGHTS:
        _, tokenizer = OTHER_WEIGHTS[name]
        _placed(part, clips, tokenizer, f"{tokenizer}:")
    return part


def _with_others(part: Part, stored: Path, clips: Clips, file: str, tokenizer: str) -> Clips:
    """The clips with the points of another tokenizer beside their own, if they were measured."""
    figures = begun(part, stored, file, f"python {SCRIPTS}/rate_distortion.py CLIPS --tokenizer {tokenizer}")
    others: Clips = {} if figures is None else figures["clips"]
    points = {
        name: {f"{tokenizer}:{setting}": point for setting, point in clip["points"].items()}
        for name, clip in others.items()
    }
    return {name: {**clip, "points": clip["points"] | points.get(name, {})} for name, clip in clips.items()}


def curves_of(clips: Clips) -> dict[str, list[Point]]:
    """The curves that all clips have at least one point of."""
    every = [set(clip["points"]) for clip in clips.values()]
    shared = [name for name in next(iter(clips.values()))["points"] if all(name in each for each in every)]
    found = {
        curve: [Point(name, rate) for name in shared if _is_of(name, begin, rest)]
        for curve, (begin, rest, rate) in _OURS.items()
    }
    return {curve: points for curve, points in found.items() if points}


def _is_of(setting: str, begin: str, rest: str) -> bool:
    """Whether a setting is one of a curve in `_OURS`."""
    return setting.startswith(begin) and setting.partition(",")[2] == rest


def _classes(clips: Clips) -> dict[str, dict[str, Mapping[str, Any]]]:
    order = sorted({clip["motion"] for clip in clips.values()}, key=["low", "mid", "high", ""].index)
    return {
        motion: {name: clip for name, clip in clips.items() if clip["motion"] == motion} for motion in order
    }


def _mean(clips: Clips, setting: str, name: str, of: Callable[[float], float] = _same) -> float:
    return fmean(of(clip["points"][setting][name]) for clip in clips.values())


def _saving(clips: Clips, anchor: Sequence[Point], curve: Sequence[Point], measure: Measure) -> str:
    """A BD-rate as a text."""
    lines = [
        sorted(
            RatePoint(
                _mean(clips, point.setting, point.rate),
                _mean(clips, point.setting, measure.name, measure.of),
            )
            for point in points
        )
        for points in (anchor, curve)
    ]
    try:
        return f"{bd_rate(*lines):+.1f} %"
    except OptionError:  # a single point, or no quality in common
        return ABSENT


def _savings(clips: Clips, curves: Mapping[str, Sequence[Point]]) -> Table:
    anchor = next(iter(curves.values()))
    rows = {
        curve: [str(len(points)), *(_saving(clips, anchor, points, measure) for measure in MEASURES)]
        for curve, points in curves.items()
    }
    heads = ["points", *(f"bits at equal {measure.head.removesuffix(' dB')}" for measure in MEASURES)]
    return plain_table("curve", heads, rows, code=False)


def _points(clips: Clips, curves: Mapping[str, Sequence[Point]]) -> Table:
    rows = {
        f"{curve}: {point.setting.partition(',')[0]}": [
            f"{_mean(clips, point.setting, point.rate):.4f}",
            *(f"{_mean(clips, point.setting, each.name):.{each.digits}f}" for each in MEASURES),
        ]
        for curve, points in curves.items()
        for point in points
    }
    return plain_table("point", ["bits/px", *(each.head for each in MEASURES)], rows, code=False)


def _by_motion(classes: Mapping[str, Clips], curves: Mapping[str, Sequence[Point]]) -> Table:
    anchors = [name for name in ("uniform channels, tables", "x264", "x265") if name in curves]
    best = curves.get(_BEST, ())
    rows = {
        motion: [str(len(clips)), *(_saving(clips, curves[name], best, MEASURES[0]) for name in anchors)]
        for motion, clips in classes.items()
    }
    return plain_table("motion", ["clips", *(f"against {name}" for name in anchors)], rows, code=False)


def _placed(part: Part, clips: Clips, tokenizer: str, begin: str) -> None:
    """A budget of eight channels beside uniform ones, clip by clip; `begin` is how its points are called."""
    settings = tuple(f"{begin}{each}" for each in ("@8", "budget=8", "@16"))
    if not all(set(settings) <= set(clip["points"]) for clip in clips.values()):
        part.say(f"`{tokenizer}` was not measured.")
        return
    found = {name: [clip["points"][each]["psnr_db"] for each in settings] for name, clip in clips.items()}
    as_good = sum(placed >= sixteen for _, placed, sixteen in found.values())
    part.say(
        f"By `{tokenizer}` a budget of eight is as good as sixteen everywhere on {as_good} of {len(found)}",
        "clips (PSNR in dB, latents rounded at step 1).",
    )
    rows = {name: [clips[name]["motion"], *(f"{value:.2f}" for value in row)] for name, row in found.items()}
    part.show(plain_table("clip", ["motion", "8 everywhere", "budget of 8", "16 everywhere"], rows))


def _plot(clips: Clips, curves: Mapping[str, Sequence[Point]]) -> Curves:
    series = tuple(
        Series(curve, tuple(_marks(clips, points)), dashed=curve in {"x264", "x265"})
        for curve, points in curves.items()
    )
    return Curves(x="bits per pixel", y="PSNR, dB", series=series)


def _marks(clips: Clips, points: Sequence[Point]) -> Iterator[Mark]:
    for point in points:
        value = _mean(clips, point.setting, "psnr_db")
        yield Mark(_mean(clips, point.setting, point.rate), value)
