"""Measures of a set of clips, which no clip has by itself: Fréchet distances from clips to reconstructions.

A part keeps the features of a clip and of what came back; when all parts are there, a summary compares the
clips and what came back as two sets.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32

from tubelet.errors import ShapeError
from tubelet.evaluate.measures import RUN
from tubelet.metrics.frechet import FeatureMoments, VideoFeatures, frechet_distance
from tubelet.spelling import counted
from tubelet.types import Frames
from tubelet.video.pixels import to_model

Rows = Float32[np.ndarray, "n d"]
"""Features of n runs."""


class ClipFeatures(NamedTuple):
    """What a network makes of the runs of a clip.

    Attributes:
        reference: of the clip.
        video: of its reconstruction.
    """

    reference: Rows
    video: Rows


class FeatureRuns:
    """Takes a clip and its reconstruction, and keeps features of every whole run of `RUN` frames.

    Args:
        networks: by name of the measure.
        known: features of the clip itself, by name of the measure, as `to_part` has them under ``reference``.
    """

    def __init__(
        self,
        networks: Mapping[str, VideoFeatures],
        *,
        known: Mapping[str, list[list[float]]] = MappingProxyType({}),
    ) -> None:
        self._networks = networks
        self._sides = {name: ("video",) if name in known else ("reference", "video") for name in networks}
        self._frames = 0
        self._found: dict[str, dict[str, list[list[float]]]] = {
            name: {"reference": list(known.get(name, ())), "video": []} for name in networks
        }

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add a window, or a whole clip; what is left of it after its last whole run is not looked at."""
        self._frames += len(frames)
        clips = {"reference": reference, "video": frames}
        for begin in range(0, len(frames) - RUN + 1, RUN):
            for name, network in self._networks.items():
                for side in self._sides[name]:
                    with torch.no_grad():
                        row = network(to_model(clips[side][begin : begin + RUN]))[0]
                    self._found[name][side].append(row.float().tolist())

    def to_part(self) -> dict[str, dict[str, list[list[float]]]]:
        """The exact features as JSON holds them: by measure, ``reference`` and ``video``, a list per run."""
        return self._found

    def absent(self) -> dict[str, str]:
        """Why a measure looks past this clip, by its name."""
        return {
            name: f"there is no run of {RUN} frames among {self._frames}."
            for name, found in self._found.items()
            if not found["video"]
        }


def from_part(part: Mapping[str, Any]) -> dict[str, ClipFeatures]:
    """What `FeatureRuns.to_part` gave, by measure."""
    return {
        name: ClipFeatures(*(np.array(found[side], np.float32) for side in ("reference", "video")))
        for name, found in part.items()
        if found["video"]
    }


class SetFigures(NamedTuple):
    """What a set of clips is.

    Attributes:
        figures: by measure: ``mean``, the distance; ``low`` and ``high``, none; ``clips`` and ``runs``, how
            many there are.
        absent: why a measure has no figure of this set, by name.
    """

    figures: dict[str, dict[str, Any]]
    absent: dict[str, str]


def compare_sets(features: Mapping[str, Mapping[str, ClipFeatures]], clips: Sequence[str]) -> SetFigures:
    """Compare clips with their reconstructions, as two sets of runs.

    There are no intervals: clips that are drawn with replacement are fewer different ones, and fewer are
    further apart, so the usual interval would lie above the figure.

    Args:
        features: by measure, by name of the clip; of clips that have any.
        clips: names of the set, in the order that decides rounding.
    """
    figures: dict[str, dict[str, Any]] = {}
    absent: dict[str, str] = {}
    for name, by_clip in features.items():
        try:
            figures[name] = _distance([by_clip[clip] for clip in clips if clip in by_clip])
        except ShapeError as error:
            absent[name] = str(error)
    return SetFigures(figures, absent)


def _distance(clips: Sequence[ClipFeatures]) -> dict[str, Any]:
    if len(clips) < 2:
        raise ShapeError(
            f"{counted(len(clips), 'clip')} with a run of {RUN} frames; the distance between sets takes two "
            "or more."
        )
    reference, video = FeatureMoments(), FeatureMoments()
    for clip in clips:
        reference.update(torch.from_numpy(clip.reference))
        video.update(torch.from_numpy(clip.video))
    found = frechet_distance(reference.compute(), video.compute())
    return {"mean": found, "low": None, "high": None, "clips": len(clips), "runs": video.count}
