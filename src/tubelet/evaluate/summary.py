"""Figures of many clips as one: means, pooled PSNR, and how far another sample of clips might be off."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from tubelet.errors import ShapeError
from tubelet.evaluate.measures import MEASURES
from tubelet.evaluate.sets import ClipFeatures, SetFigures, compare_sets
from tubelet.evaluate.tags import TAGS, Tags
from tubelet.metrics.psnr import SquaredError, pooled_psnr

RESAMPLES = 1000
"""Samples of clips that are drawn, with replacement, for an interval."""

_ORDER = ("low", "mid", "high")

LEVEL = 0.95
"""Share of the samples whose mean lies within an interval."""

Rows = Int64[np.ndarray, "r n"]
"""Which clips each sample holds."""

ClipFigures = Mapping[str, Any]
"""What the results hold of a system on a clip."""


def summarise(
    clips: Mapping[str, ClipFigures],
    tags: Tags,
    *,
    seed: int,
    features: Mapping[str, Mapping[str, ClipFeatures]] = MappingProxyType({}),
) -> dict[str, Any]:
    """The summary of a system: of all its clips, and of those that share a tag.

    Args:
        clips: by name, as in the results; those with an error are left out.
        tags: by name of the clip.
        seed: of the samples of clips; the same for all systems, so their intervals are of the same samples.
        features: by name of the measure of sets, by name of the clip; of clips that have any.
    """
    good = {name: clip for name, clip in clips.items() if "error" not in clip}
    by_tag: dict[str, dict[str, Any]] = {}
    for tag in TAGS:
        found = {tags[name][tag] for name in good if tag in tags.get(name, {})}
        values = sorted(found, key=lambda value: (_ORDER.index(value) if value in _ORDER else -1, value))
        for value in values:
            chosen = [name for name in good if tags.get(name, {}).get(tag) == value]
            sets = compare_sets(features, chosen)
            by_tag.setdefault(tag, {})[value] = _summary([good[name] for name in chosen], sets, seed=seed)
    sets = compare_sets(features, list(good))
    whole = _summary(list(good.values()), sets, seed=seed)
    return {"all": whole, "by_tag": by_tag, "absent": sets.absent, "failed": len(clips) - len(good)}


def failures(systems: Mapping[str, Any]) -> list[str]:
    """Sentences on clips without figures; one for all systems that fail alike.

    Args:
        systems: by their texts, as in the results.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for text, system in systems.items():
        for clip, part in system["clips"].items():
            if "error" in part:
                found.setdefault((clip, part["error"]), []).append(text)
    return [
        f"no figures of {clip}{'' if len(texts) == len(systems) else ' by ' + ', '.join(texts)}: {error}"
        for (clip, error), texts in found.items()
    ]


def _summary(clips: Sequence[ClipFigures], sets: SetFigures, *, seed: int) -> dict[str, Any]:
    """Means of clips, and what they are as a set, by group of measures."""
    found: dict[str, Any] = {"clips": len(clips)}
    if not clips:
        return found
    names = list(dict.fromkeys(name for clip in clips for name in clip["figures"]))
    for name in names:
        group = MEASURES[name].group
        values = [clip["figures"][name] for clip in clips if name in clip["figures"]]
        found.setdefault(group, {})[name] = interval(values, seed=seed)
        if name == "psnr_db":
            found[group]["pooled_psnr_db"] = _pooled(
                [SquaredError(*clip["squared_error"]) for clip in clips], seed=seed
            )
    for name, figure in sets.figures.items():
        found.setdefault(MEASURES[name].group, {})[name] = figure
    passes = dict.fromkeys(number for clip in clips for number in clip.get("drift_psnr_db", {}))
    for number in passes:
        values = [clip["drift_psnr_db"][number] for clip in clips if "drift_psnr_db" in clip]
        found.setdefault("drift_psnr_db", {})[number] = interval(values, seed=seed)
    found["rate"] = _rates(clips, seed=seed)
    found["speed"] = {
        f"megapixels_per_second_{way}": _speed(clips, f"seconds_{way}") for way in ("encode", "decode")
    }
    return found


def interval(values: Sequence[float], *, seed: int) -> dict[str, Any]:
    """The mean of clips, and the percentile bootstrap interval around it (Efron 1979).

    Both ends are the mean itself for a single clip, of which nothing can be drawn but itself. An infinite
    figure, of a clip without error, would hide all others in the mean: `exact` counts those, and the mean is
    of the other `clips`, or infinite where there are none.
    """
    array = np.array(values, dtype=np.float64)
    finite = array[np.isfinite(array)]
    exact = len(array) - len(finite)
    if not len(finite):
        return {"mean": math.inf, "low": math.inf, "high": math.inf, "clips": exact, "exact": exact}
    low, high = _ends(finite[_rows(len(finite), seed)].mean(axis=1))
    return {"mean": float(np.mean(finite)), "low": low, "high": high, "clips": len(finite), "exact": exact}


def _pooled(errors: Sequence[SquaredError], *, seed: int) -> dict[str, Any]:
    """PSNR of all samples of all clips together, and of each drawn sample of clips."""
    totals, samples = (np.array(column, dtype=np.float64) for column in zip(*errors, strict=True))
    rows = _rows(len(errors), seed)
    with np.errstate(divide="ignore"):
        drawn = 10 * np.log10(255**2 * samples[rows].sum(axis=1) / totals[rows].sum(axis=1))
    low, high = _ends(drawn)
    return {"mean": pooled_psnr(errors), "low": low, "high": high, "clips": len(errors)}


def _rates(clips: Sequence[ClipFigures], *, seed: int) -> dict[str, Any]:
    """Bits per pixel and numbers per pixel, as far as every clip has them."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for clip in clips for name in clip["rate"]):
        if all(name in clip["rate"] for clip in clips) and name.endswith("_per_pixel"):
            found[name] = interval([clip["rate"][name] for clip in clips], seed=seed)
    return found


def _speed(clips: Sequence[ClipFigures], name: str) -> float | None:
    """Pixels of all clips over the time that they took together."""
    seconds = sum(clip[name] for clip in clips)
    return sum(clip["pixels"] for clip in clips) / seconds / 1e6 if seconds else None


def _rows(clips: int, seed: int) -> Rows:
    if not clips:
        raise ShapeError("there are no clips to draw from. Give at least one.")
    return np.random.default_rng(seed).integers(0, clips, (RESAMPLES, clips))


def _ends(drawn: Float64[np.ndarray, " r"]) -> tuple[float, float]:
    """The two percentiles between which the middle `LEVEL` of the drawn figures lies."""
    outside = (1 - LEVEL) / 2
    low, high = np.sort(drawn)[[round(outside * (len(drawn) - 1)), round((1 - outside) * (len(drawn) - 1))]]
    return float(low), float(high)
