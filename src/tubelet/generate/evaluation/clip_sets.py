"""What a set of clips has as a whole, whether generators made them or a tokenizer decoded true ones."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from math import isnan
from typing import final

import numpy as np
import torch

from tubelet.generate.evaluation.distances import flicker_of, parsed_distance
from tubelet.generate.evaluation.parse import ParsedThing, parse_clip
from tubelet.metrics.frechet import FeatureMoments, VideoFeatures, frechet_distance
from tubelet.types import Frames
from tubelet.video.encode import still_bytes
from tubelet.video.pixels import to_model

_SHOWN = 5
"""Frames of a strip."""


@final
class ClipSet:
    """Clips of one source, of which only what is measured is kept.

    Args:
        features: networks for Fréchet video distances, by name of the figure.

    Attributes:
        parsed: what the rules find in each.
        nearest: how far each is from the nearest clip of training, where that is asked for.
        strips: of the first ones, as JPEG in base 64.
    """

    def __init__(self, features: Mapping[str, VideoFeatures]) -> None:
        self.parsed: list[list[ParsedThing]] = []
        self.nearest: list[float] = []
        self.strips: list[str] = []
        self._flicker: list[float] = []
        self._networks = features
        self._moments = {name: FeatureMoments() for name in features}

    @torch.no_grad()
    def add(self, clips: Sequence[Frames], *, fps: float) -> None:
        """Look at further clips.

        Raises:
            ShapeError: they are too short or too small for one of the networks.
        """
        self.parsed += [parse_clip(clip, fps=fps) for clip in clips]
        self._flicker += [flicker_of(clip) for clip in clips]
        for name, network in self._networks.items():
            for clip in clips:
                self._moments[name].update(network(to_model(clip)))

    def keep_strips(self, clips: Sequence[Frames], *, most: int) -> None:
        """Keep clips as strips, until there are enough."""
        self.strips += [strip_of(clip) for clip in clips[: most - len(self.strips)]]

    def distances(self, true: "ClipSet") -> dict[str, float | None]:
        """How far the set is from that of the true clips, and what it has by itself; none where it has not.

        Args:
            true: the clips as they should be, of which the same networks were asked.
        """
        flicker = [each for each in self._flicker if not isnan(each)]
        return {
            "flicker": float(np.mean(flicker)) if flicker else None,
            "parsed_frechet": parsed_distance(self.parsed, true.parsed),
            "nearest_training": float(np.mean(self.nearest)) if self.nearest else None,
            **{
                name: frechet_distance(moments.compute(), true._moments[name].compute())
                for name, moments in self._moments.items()
            },
        }


def strip_of(frames: Frames) -> str:
    """Five frames of a clip side by side, as a JPEG in base 64."""
    chosen = np.linspace(0, len(frames) - 1, min(_SHOWN, len(frames))).round().astype(int)
    return b64encode(still_bytes(np.concatenate(list(frames[chosen]), axis=1), ".jpg")).decode("ascii")
