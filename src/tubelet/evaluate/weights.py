"""Networks that measures need, from files of the user; where there is no file there is no figure."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from tubelet.errors import OptionError
from tubelet.evaluate.sets import SETS
from tubelet.losses.perceptual_weights import read_lpips
from tubelet.metrics.dists_weights import read_dists
from tubelet.metrics.frechet import VideoFeatures
from tubelet.metrics.i3d_weights import read_i3d
from tubelet.metrics.perceptual import FrameDistance
from tubelet.metrics.videomae_weights import read_videomae

_DISTANCES = {"lpips": read_lpips, "dists": read_dists}

_FEATURES = {"i3d": read_i3d, "videomae": read_videomae}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The weights of a network, which the user has.

    Attributes:
        network: ``lpips`` or ``dists``, which is the measure too; ``i3d`` or ``videomae``, for rFVD.
        path: a file of safetensors.
        sha256: of the file.
    """

    network: str
    path: Path
    sha256: str

    def __post_init__(self) -> None:
        if self.network not in _DISTANCES | _FEATURES:
            raise OptionError(
                f"no measure has a network {self.network!r}; there are {', '.join(_DISTANCES | _FEATURES)}."
            )


class Networks(NamedTuple):
    """The networks whose weights there are.

    Attributes:
        distances: of frames, by name of the measure.
        features: of clips, by name of the measure of sets.
    """

    distances: Mapping[str, FrameDistance]
    features: Mapping[str, VideoFeatures]


@lru_cache(maxsize=1)
def networks(weights: tuple[Weights, ...]) -> Networks:
    """Read the files; they are kept until others are asked for.

    Raises:
        CheckpointError: a file is missing, or is not what it should be.
    """
    files = {each.network: each for each in weights}
    return Networks(
        distances={
            name: read(files[name].path, sha256=files[name].sha256)
            for name, read in _DISTANCES.items()
            if name in files
        },
        features={
            name: _FEATURES[measure.network](
                files[measure.network].path, sha256=files[measure.network].sha256
            )
            for name, measure in SETS.items()
            if measure.network in files
        },
    )
