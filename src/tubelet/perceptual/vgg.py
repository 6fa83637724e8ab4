"""The convolutions of VGG-16, in whose features LPIPS and DISTS compare frames."""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

Images = Float[Tensor, "n 3 H W"]
"""Frames of all clips in a row, RGB."""

Maps = Float[Tensor, "n _ _ _"]
"""One layer's features of the same frames: channels, rows, columns."""

STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
"""Where the convolutions of VGG-16 stand in its list of layers; a pooling precedes all stages but one."""


def vgg_features(channels: Sequence[int], pool: Callable[[], nn.Module]) -> nn.Sequential:
    """The layers of VGG-16 (Simonyan & Zisserman 2014, arXiv:1409.1556, table 1, column D), untrained.

    Kept as ``features``, they have the names that torchvision gives them: ``features.0.weight`` to
    ``features.28.bias``.

    Args:
        channels: of each of the 13 convolutions; 64 64, 128 128, 256 256 256, 512 512 512, 512 512 512.
        pool: makes what halves the maps between stages.
    """
    layers: list[nn.Module] = []
    sizes = iter(channels)
    inputs = 3
    for stage in STAGES:
        if layers:
            layers.append(pool())
        for _ in stage:
            outputs = next(sizes)
            layers += [nn.Conv2d(inputs, outputs, kernel_size=3, padding=1), nn.ReLU()]
            inputs = outputs
    return nn.Sequential(*layers)


def stage_features(layers: nn.Sequential, frames: Images) -> list[Maps]:
    """The last features of every stage: relu1_2, relu2_2, relu3_3, relu4_3, relu5_3.

    Args:
        layers: from `vgg_features`.
        frames: scaled as the network was trained.
    """
    ends = {stage[-1] + 1 for stage in STAGES}
    found: list[Maps] = []
    maps: Maps = frames
    for index, layer in enumerate(layers):
        maps = layer(maps)
        if index in ends:
            found.append(maps)
    return found


class VGG16(nn.Module):
    """The convolutions of VGG-16, with the maximum between stages; see `vgg_features` for `channels`."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.features = vgg_features(channels, lambda: nn.MaxPool2d(kernel_size=2))

    def forward(self, frames: Images) -> list[Maps]:
        """Give the last features of every stage."""
        return stage_features(self.features, frames)
