"""Networks that measures need, from files of the user; where there is no file there is no figure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tubelet.devices import find_device
from tubelet.errors import OptionError
from tubelet.evaluate.measures import SET_MEASURES
from tubelet.metrics.frechet import VideoFeatures
from tubelet.metrics.perceptual import FrameDistance
from tubelet.perceptual.dists_weights import read_dists
from tubelet.perceptual.i3d_weights import read_i3d
from tubelet.perceptual.lpips_weights import read_lpips
from tubelet.perceptual.videomae_weights import read_videomae
from tubelet.types import Video

_DISTANCES = {"lpips": read_lpips, "dists": read_dists}

_FEATURES = {"i3d": read_i3d, "videomae": read_videomae}

READERS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(_DISTANCES | _FEATURES)
"""What reads the weights of each network."""


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
        if self.network not in READERS:
            raise OptionError(f"no measure has a network {self.network!r}; there are {', '.join(READERS)}.")

    def to_json(self) -> dict[str, str]:
        """Everything, for another process."""
        return {"network": self.network, "path": str(self.path), "sha256": self.sha256}

    @classmethod
    def from_json(cls, content: Mapping[str, str]) -> "Weights":
        """What `to_json` gave."""
        return cls(network=content["network"], path=Path(content["path"]), sha256=content["sha256"])


class Networks(NamedTuple):
    """The networks whose weights there are.

    Attributes:
        distances: of frames, by name of the measure.
        features: of clips, by name of the measure of sets.
    """

    distances: Mapping[str, FrameDistance]
    features: Mapping[str, VideoFeatures]


def networks(weights: tuple[Weights, ...], device: str) -> Networks:
    """Read the files.

    Args:
        weights: which files.
        device: where the networks compute: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        CheckpointError: a file is missing, or is not what it should be.
        OptionError: there is no such device here.
    """
    place = find_device(device)
    files = {each.network: each for each in weights}

    def read(network: str, reader: Callable[..., nn.Module]) -> _OnDevice:
        file = files[network]
        return _OnDevice(reader(file.path, sha256=file.sha256).to(place), place)

    return Networks(
        distances={name: read(name, reader) for name, reader in _DISTANCES.items() if name in files},
        features={
            name: read(measure.network, _FEATURES[measure.network])
            for name, measure in SET_MEASURES.items()
            if measure.network in files
        },
    )


def video_features(weights: tuple[Weights, ...], device: str) -> dict[str, VideoFeatures]:
    """Read the networks that give features of whole clips, by their own name.

    Args:
        weights: which files.
        device: where the networks compute: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        CheckpointError: a file is missing, or is not what it should be.
        OptionError: one is of a network that compares frames; or there is no such device here.
    """
    if others := [each.network for each in weights if each.network not in _FEATURES]:
        raise OptionError(
            f"{', '.join(others)} compares frames with frames, and generated clips have no reference; give "
            f"weights of {' or '.join(_FEATURES)}."
        )
    place = find_device(device)
    return {
        each.network: _OnDevice(_FEATURES[each.network](each.path, sha256=each.sha256).to(place), place)
        for each in weights
    }


class _OnDevice:
    """A network on a device whose user is on the CPU."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._network = network
        self._device = device

    def __call__(self, *videos: Video) -> Tensor:
        """What the network makes of clips."""
        return self._network(*(video.to(self._device) for video in videos)).cpu()
