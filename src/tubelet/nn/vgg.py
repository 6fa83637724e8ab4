"""The convolutions of VGG-16, in whose features losses and metrics compare frames."""

from collections.abc import Callable, Sequence

from torch import nn

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
