"""I3D: Inception-v1 with its filters inflated into time. FVD compares clips in its logits.

The network alone; its weights are read by `tubelet.perceptual.i3d_weights`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from einops import reduce
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.errors import ShapeError
from tubelet.perceptual.clip_size import resize_frames
from tubelet.types import Video

Maps = Float[Tensor, "b _ _ _ _"]
"""One layer's features of clips: channels, frames, rows, columns."""

Steps = tuple[int, int, int]
"""Along frames, rows and columns."""

LEAST_FRAMES = 9
"""The last average takes two positions in time, and eight frames make one."""

SIDE = 224
"""Rows and columns of what the network sees."""

STEM = ("Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3")
"""The convolutions before the first block."""

BLOCKS = ("3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c")
"""Inception blocks, by how often the frame was halved before; `Mixed_3b` and so on are their names."""

BRANCHES = ("b0", "b1a", "b1b", "b2a", "b2b", "b3b")
"""The convolutions of a block."""


class I3DWidths(NamedTuple):
    """Output channels of every convolution.

    Attributes:
        stem: 64, 64, 192.
        blocks: by name from `BLOCKS`, in the order of `BRANCHES`; 64, 96, 128, 16, 32, 32 for the first.
        classes: 400.
    """

    stem: Sequence[int]
    blocks: Mapping[str, Sequence[int]]
    classes: int


class I3D(nn.Module):
    """I3D on RGB (Carreira & Zisserman 2017, arXiv:1705.07750, figure 3).

    Layers have the names that piergiaj/pytorch-i3d gives them, from `Conv3d_1a_7x7.conv3d.weight` to
    `logits.conv3d.bias`. Everything is padded as TensorFlow's SAME does it: by zeros, the odd one behind.
    Norms have fixed statistics, with 0.001 beside the variance as in the graph on TensorFlow Hub; TATS and
    cd-fvd have 1e-5 there.

    The features of a clip are those of FVD (Unterthiner et al. 2018, arXiv:1812.01717): the logits, before
    the softmax, wherever two of the last maps follow each other, and their mean over time. Frames are resized
    to 224x224 whatever their shape, bilinear without antialiasing, as TATS and cd-fvd do. The program of the
    paper (TensorFlow 1) measures places from the corners of pixels instead of their centres;
    common_metrics_on_video_quality and TokenBench keep the shape and cut out the central square. Frames of
    224x224 are the same to all of them.
    """

    def __init__(self, widths: I3DWidths) -> None:
        super().__init__()
        first, second, third = widths.stem
        self.add_module(STEM[0], _Unit(3, first, size=7, step=2))
        self.add_module(STEM[1], _Unit(first, second))
        self.add_module(STEM[2], _Unit(second, third, size=3))
        inputs = third
        for name in BLOCKS:
            self.add_module(f"Mixed_{name}", _Mixed(inputs, *widths.blocks[name]))
            b0, _, b1b, _, b2b, b3b = widths.blocks[name]
            inputs = b0 + b1b + b2b + b3b
        self.logits = _Logits(inputs, widths.classes)

    def forward(self, video: Video) -> Float[Tensor, "b d"]:
        """Give the mean logits of each clip.

        Raises:
            ShapeError: there are fewer than `LEAST_FRAMES` frames, or no pixels.
        """
        if video.shape[2] < LEAST_FRAMES or not video.numel():
            raise ShapeError(
                f"the clips are {tuple(video.shape)}; I3D needs at least {LEAST_FRAMES} frames. Leave these "
                "out."
            )
        maps = self.maps(resize_frames(video, SIDE).to(self.logits.conv3d.weight.dtype))
        pooled = F.avg_pool3d(maps, kernel_size=(2, 7, 7), stride=1)
        return reduce(self.logits(pooled), "b d t 1 1 -> b d", "mean")

    def maps(self, video: Video) -> Maps:
        """The last maps: 1024 channels, an eighth of the frames, a 32nd of the sides, all rounded up."""
        halving: dict[str, tuple[Steps, Steps]] = {
            STEM[1]: ((1, 3, 3), (1, 2, 2)),
            "Mixed_3b": ((1, 3, 3), (1, 2, 2)),
            "Mixed_4b": ((3, 3, 3), (2, 2, 2)),
            "Mixed_5b": ((2, 2, 2), (2, 2, 2)),
        }
        maps: Maps = video
        for name in (*STEM, *(f"Mixed_{block}" for block in BLOCKS)):
            if name in halving:
                maps = _largest(maps, *halving[name])
            maps = self.get_submodule(name)(maps)
        return maps


class _Unit(nn.Module):
    """A convolution, a norm and a ReLU."""

    def __init__(self, inputs: int, outputs: int, *, size: int = 1, step: int = 1) -> None:
        super().__init__()
        self._step = step
        self.conv3d = nn.Conv3d(inputs, outputs, kernel_size=size, stride=step, bias=False)
        self.bn = _FixedNorm(outputs)

    def forward(self, maps: Maps) -> Maps:
        size, step = self.conv3d.kernel_size[0], self._step
        return self.bn(self.conv3d(_same(maps, (size, size, size), (step, step, step)))).relu_()


class _FixedNorm(nn.Module):
    """Batch norm with the statistics of the training, always."""

    running_mean: Float[Tensor, " c"]
    running_var: Float[Tensor, " c"]

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, maps: Maps) -> Maps:
        return F.batch_norm(maps, self.running_mean, self.running_var, self.weight, self.bias, eps=1e-3)


class _Mixed(nn.Module):
    """An Inception block: four branches of one input, side by side."""

    def __init__(self, inputs: int, b0: int, b1a: int, b1b: int, b2a: int, b2b: int, b3b: int) -> None:
        super().__init__()
        self.b0 = _Unit(inputs, b0)
        self.b1a = _Unit(inputs, b1a)
        self.b1b = _Unit(b1a, b1b, size=3)
        self.b2a = _Unit(inputs, b2a)
        self.b2b = _Unit(b2a, b2b, size=3)
        self.b3b = _Unit(inputs, b3b)

    def forward(self, maps: Maps) -> Maps:
        largest = _largest(maps, (3, 3, 3), (1, 1, 1))
        branches = [self.b0(maps), self.b1b(self.b1a(maps)), self.b2b(self.b2a(maps)), self.b3b(largest)]
        return torch.cat(branches, dim=1)


class _Logits(nn.Module):
    """The classifier, at every position by itself."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, classes, kernel_size=1)

    def forward(self, maps: Maps) -> Maps:
        return self.conv3d(maps)


def _largest(maps: Maps, size: Steps, step: Steps) -> Maps:
    """The maximum of each neighbourhood; maps are never negative, so zeros around them are never more."""
    return F.max_pool3d(_same(maps, size, step), size, step)


def _same(maps: Maps, size: Steps, step: Steps) -> Maps:
    """Zeros around maps, so that there is a position for every `step`, the last one begun included."""
    sides: list[int] = []
    for length, reach, stride in zip(maps.shape[:1:-1], size[::-1], step[::-1], strict=True):
        missing = max(0, (-(-length // stride) - 1) * stride + reach - length)
        sides += [missing // 2, missing - missing // 2]
    return F.pad(maps, sides)
