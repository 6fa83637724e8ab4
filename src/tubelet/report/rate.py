"""Rate-distortion curves of an evaluation, and what one saves against another.

A curve is one thing at several rates: a tokenizer at several channels and quantiser steps, or a codec at
several qualities. Bits are those on disk. Latents that are not quantised have no bits; their curves count
numbers instead and are never compared with those of bits.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from tubelet.errors import OptionError
from tubelet.metrics.bd_rate import RatePoint, bd_rate
from tubelet.report.read import Results
from tubelet.spelling import counted

Rate = Literal["bits_per_pixel", "numbers_per_pixel"]
"""What a curve counts: bits on disk, or numbers of latents that are not quantised."""


_APART = 1.02
"""Rates that differ by no more than this factor are one place on an axis."""


class Point(NamedTuple):
    """One system of a curve.

    Attributes:
        system: its text.
        rate: bits or numbers per pixel.
        quality: by the measure of the curve.
    """

    system: str
    rate: float
    quality: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCurve:
    """One thing at several rates.

    Attributes:
        name: the text of its systems without what sets the rate.
        kind: of the systems: latent, tube, tokens, codec or diffusers.
        points: by growing rate; more rate gives more quality.
        left_out: why another system of the same thing is not a point, by its text.
        more: whether more of the measure is better, otherwise less is.
    """

    name: str
    kind: str
    points: tuple[Point, ...]
    left_out: Mapping[str, str]
    more: bool


class Saving(NamedTuple):
    """A BD-rate.

    Attributes:
        percent: how much more rate is needed than by the anchor, below 0 if less; none if unknown.
        low: lowest quality that both curves reach; 0 where `percent` is none.
        high: highest.
        why: the reason where `percent` is none.
    """

    percent: float | None
    low: float = 0.0
    high: float = 0.0
    why: str = ""


class Comparison(NamedTuple):
    """A curve against the anchor.

    Attributes:
        curve: through the means over the clips.
        whole: what it saves.
        by_clip: mean of what it saves on each clip, in percent; none if on no clip.
        clips_compared: how many clips that mean is of.
        clips: how many there are.
    """

    curve: RateCurve
    whole: Saving
    by_clip: float | None
    clips_compared: int
    clips: int


def rate_curves(
    results: Results, measure: str, *, rate: Rate = "bits_per_pixel", clip: str | None = None
) -> tuple[RateCurve, ...]:
    """The curves of an evaluation, in the order of its systems.

    Means over the clips make a curve, of those systems that have a figure of as many clips as any. Systems
    that another one of the same curve beats, at no more rate, are left out.

    Args:
        results: of an evaluation.
        measure: one of which more, or less, is better.
        rate: bits of what went through a file, or numbers of what did not.
        clip: one clip instead of the means.

    Raises:
        OptionError: the results have no such measure, or it has no more and less.
    """
    more = _more_is_better(results, measure)
    found = {name: _figures(system, measure, rate, clip) for name, system in _systems(results, rate)}
    most = max((each.clips for each in found.values()), default=0)
    curves: dict[str, list[str]] = {}
    for name, system in _systems(results, rate):
        curves.setdefault(_sameness(system["facts"]), []).append(name)
    return tuple(
        _curve(names, {name: found[name] for name in names}, results, most=most, more=more)
        for names in curves.values()
    )


def drawn_curves(results: Results, measure: str, rate: Rate) -> tuple[RateCurve, ...]:
    """The curves that have a point.

    Raises:
        OptionError: the results have no such measure, or it has no more and less.
    """
    return tuple(curve for curve in rate_curves(results, measure, rate=rate) if curve.points)


def trade_off(results: Results, measure: str) -> Rate | None:
    """The rate against which quality is worth drawing: that of most systems; none if no two differ in one."""
    if results.figures["measures"].get(measure, {}).get("better") not in {"more", "less"}:
        return None
    counts: dict[Rate, int] = {}
    for rate in ("bits_per_pixel", "numbers_per_pixel"):
        found = [point.rate for curve in drawn_curves(results, measure, rate) for point in curve.points]
        if found and max(found) > _APART * min(found):
            counts[rate] = len(found)
    return max(counts, key=counts.__getitem__, default=None)


def saving(anchor: RateCurve, test: RateCurve) -> Saving:
    """The BD-rate of a curve against an anchor, where both reach the same qualities.

    A measure of which less is better counts as its negative.
    """
    one, other = (
        [RatePoint(rate, quality if curve.more else -quality) for _, rate, quality in curve.points]
        for curve in (anchor, test)
    )
    try:
        percent = bd_rate(one, other)
    except OptionError as error:
        return Saving(None, why=str(error))
    low = max(min(point.quality for point in points) for points in (one, other))
    high = min(max(point.quality for point in points) for points in (one, other))
    return Saving(percent, low, high) if test.more else Saving(percent, -high, -low)


def bd_rates(results: Results, measure: str, *, anchor: str) -> tuple[Comparison, ...]:
    """What every curve of bits saves against one of them.

    Args:
        results: of an evaluation.
        measure: one of which more, or less, is better.
        anchor: name of the curve to compare with, such as ``x264``.

    Raises:
        OptionError: there is no such curve or measure.
    """
    curves = {curve.name: curve for curve in rate_curves(results, measure)}
    if anchor not in curves:
        raise OptionError(
            f"there is no curve {anchor!r} of bits on disk; there are {', '.join(curves) or 'none'}."
        )
    by_clip = [
        {curve.name: curve for curve in rate_curves(results, measure, clip=clip)}
        for clip in results.figures["clips"]
    ]
    found: list[Comparison] = []
    for name, curve in curves.items():
        if name == anchor:
            continue
        each = [saving(clip[anchor], clip[name]).percent for clip in by_clip]
        there = [percent for percent in each if percent is not None]
        found.append(
            Comparison(
                curve=curve,
                whole=saving(curves[anchor], curve),
                by_clip=sum(there) / len(there) if there else None,
                clips_compared=len(there),
                clips=len(each),
            )
        )
    return tuple(found)


def has_bits(system: Mapping[str, Any]) -> bool:
    """Whether a system of the results went through a file; the latents of others are counted in numbers."""
    return system["facts"]["kind"] not in {"latent", "diffusers"}


class _Figures(NamedTuple):
    """Rate and quality of a system, and the number of clips they are of; null in the results is infinite."""

    rate: float | None
    quality: float | None
    clips: int


def _systems(results: Results, rate: Rate) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The systems that have this rate, by name; a latent that went through a file counts as bits alone."""
    for name, system in results.figures["systems"].items():
        if has_bits(system) == (rate == "bits_per_pixel"):
            yield name, system


def _figures(system: Mapping[str, Any], measure: str, rate: Rate, clip: str | None) -> _Figures:
    """The figures of a system, of one clip or in the mean; of no clip where something is missing."""
    if clip is not None:
        found = system["clips"][clip]
        if measure not in found.get("figures", {}) or rate not in found["rate"]:
            return _Figures(None, None, 0)
        return _Figures(found["rate"][rate], found["figures"][measure], 1)
    summary = system["summary"]["all"]
    quality = next((group[measure] for group in summary.values() if _holds(group, measure)), None)
    if quality is None or rate not in summary["rate"]:
        return _Figures(None, None, 0)
    return _Figures(summary["rate"][rate]["mean"], quality["mean"], quality["clips"])


def _holds(group: Any, measure: str) -> bool:  # noqa: ANN401  a summary holds numbers beside its groups
    return isinstance(group, dict) and measure in group


def _more_is_better(results: Results, measure: str) -> bool:
    measures = results.figures["measures"]
    if measure not in measures:
        raise OptionError(f"these results have no measure {measure!r}; they have {', '.join(measures)}.")
    if measures[measure]["better"] not in {"more", "less"}:
        raise OptionError(
            f"of {measure!r}, nearer to {measures[measure]['better']} is better; a curve needs a measure of "
            "which more, or less, is better."
        )
    return measures[measure]["better"] == "more"


def _sameness(facts: Mapping[str, Any]) -> str:
    """A text that is equal for systems that differ in what sets the rate alone."""
    options = {name: value for name, value in facts.get("options", {}).items() if name != "crf"}
    kept = {name: value for name, value in facts.items() if name not in {"channels", "step"}}
    return json.dumps(kept | {"options": options}, sort_keys=True)


def _name(text: str, kind: str) -> str:
    """The text of a system without what sets the rate: channels and step, or crf."""
    if kind in {"latent", "tube"}:
        return re.sub(r"(@\d+)?(:step=[^:/]*)?$", "", text, count=1)
    if kind == "codec":
        name, _, options = text.partition(":")
        kept = [word for word in options.split(",") if not word.startswith("crf=")]
        return ":".join([name, *([",".join(kept)] if kept else [])])
    return text


def _curve(
    names: Sequence[str], found: Mapping[str, _Figures], results: Results, *, most: int, more: bool
) -> RateCurve:
    points: list[Point] = []
    left_out: dict[str, str] = {}
    for name in names:
        rate, quality, clips = found[name]
        if clips < most or not clips:
            left_out[name] = f"it has figures of {counted(clips, 'clip')}, where others have them of {most}"
        elif rate is None or quality is None:
            left_out[name] = "it is infinitely good on a clip"
        else:
            points.append(Point(name, rate, quality))
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (point.rate, -point.quality if more else point.quality)):
        beaten = bool(kept) and (
            point.quality <= kept[-1].quality if more else point.quality >= kept[-1].quality
        )
        if beaten:
            left_out[point.system] = f"{kept[-1].system} is as good at no more rate"
        else:
            kept.append(point)
    kind = results.figures["systems"][names[0]]["facts"]["kind"]
    return RateCurve(name=_name(names[0], kind), kind=kind, points=tuple(kept), left_out=left_out, more=more)
