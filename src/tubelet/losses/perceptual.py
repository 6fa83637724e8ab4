"""How far a video is from its reference in the features of a network that has seen many images.

`LPIPS` is the published distance on VGG-16, whose weights the user brings (`perceptual_weights.py`);
`FeatureLoss` takes any network of the user. Both judge every frame by itself; `sample` takes fewer of them.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor, nn

from tubelet.errors import ShapeError
from tubelet.losses.pair import Loss, comparable
from tubelet.nn.vgg import STAGES, vgg_features
from tubelet.types import Video

Images = Float[Tensor, "n 3 H W"]
"""Frames of all clips, RGB in [-1, 1]."""

Maps = Float[Tensor, "n _ _ _"]
"""One layer's features of the same frames: channels, rows, columns."""

SMALLEST_SIDE = 16
"""Rows and columns that VGG-16 needs: its last stage sees the frame halved four times."""

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)


@runtime_checkable
class FeatureNetwork(Protocol):
    """Anything that gives feature maps of frames, from one or several layers."""

    def __call__(self, frames: Images, /) -> Sequence[Maps]:
        """Give the features of `frames`, RGB in [-1, 1]; what scaling it needs, it does itself."""
        ...


class FeatureLoss(nn.Module):
    """The mean absolute difference of the features of frames, then the mean over layers.

    Source: the perceptual loss of Johnson et al. 2016 (arXiv:1603.08155), with the absolute difference of
    pix2pixHD (Wang et al. 2018, arXiv:1711.11585). Its size is that of the network's features, so its weight
    has no usual value: compare its gradient with that of `l1`.

    The network is not changed: freeze it (``requires_grad_(False)``) and set its mode before. It gets float32
    frames (float64, if the videos are) with autocast off.
    """

    def __init__(self, network: FeatureNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, reference: Video, video: Video) -> Loss:
        """Compare; no gradient reaches the reference.

        Raises:
            ShapeError: the shapes differ or hold no numbers, or the network gives no features.
        """
        reference, video = comparable(reference, video)
        with torch.autocast(device_type=video.device.type, enabled=False):
            with torch.no_grad():
                expected = self.network(_frames(reference))
            found = self.network(_frames(video))
            if not found:
                raise ShapeError("the network gave no feature maps; a feature loss needs at least one.")
            layers = [(a - b).abs().mean() for a, b in zip(expected, found, strict=True)]
            return torch.stack(layers).mean()


class VGG16(nn.Module):
    """The convolutions of VGG-16 (Simonyan & Zisserman 2014, arXiv:1409.1556, table 1, column D).

    Layers have the names that torchvision gives them: ``features.0.weight`` to ``features.28.bias``. The
    usual channels are 64 64, 128 128, 256 256 256, 512 512 512, 512 512 512.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.features = vgg_features(channels, lambda: nn.MaxPool2d(kernel_size=2))

    def forward(self, frames: Images) -> list[Maps]:
        """Give the last features of every stage: relu1_2, relu2_2, relu3_3, relu4_3, relu5_3."""
        ends = {stage[-1] + 1 for stage in STAGES}
        found: list[Maps] = []
        maps: Maps = frames
        for index, layer in enumerate(self.features):
            maps = layer(maps)
            if index in ends:
                found.append(maps)
        return found


class LPIPS(nn.Module):
    """Learned perceptual image patch similarity, version 0.1, on VGG-16; 0 for equal frames.

    The features of a position are scaled to unit length; the squared differences of two frames are weighed
    per channel by the heads, averaged over positions and summed over the five stages; then the mean over
    frames.

    Source: Zhang et al. 2018 (arXiv:1801.03924), equation 1; as in its code, the weights of the channels
    stand outside the square. A weight of 1 beside `l1` is that of VidTok (arXiv:2412.13061) and of WF-VAE's
    first stage (arXiv:2411.17459), which ends with 0.1.

    One detail differs from the published code: 1e-10 is added under the root of the length, not to it, so
    that a position without any feature has the gradient zero and not NaN. Nothing else of size changes.
    """

    shift: Float[Tensor, "3 1 1"]
    scale: Float[Tensor, "3 1 1"]

    def __init__(self, trunk: VGG16, heads: Sequence[Float[Tensor, " _"]]) -> None:
        """Hold a trunk, and per stage the weight of each of its channels; both are frozen."""
        super().__init__()
        self.trunk = trunk
        self.heads = nn.ParameterList(heads)
        self.register_buffer(
            "shift", rearrange(torch.tensor(_SHIFT, dtype=torch.float32), "c -> c 1 1"), persistent=False
        )
        self.register_buffer(
            "scale", rearrange(torch.tensor(_SCALE, dtype=torch.float32), "c -> c 1 1"), persistent=False
        )
        self.requires_grad_(requires_grad=False)

    def forward(self, reference: Video, video: Video) -> Loss:
        """Compare every frame with its own; no gradient reaches the reference.

        Raises:
            ShapeError: the shapes differ or hold no numbers, or a side is below 16.
        """
        reference, video = comparable(reference, video)
        if min(video.shape[3:]) < SMALLEST_SIDE:
            raise ShapeError(
                f"the frames have {video.shape[3]} x {video.shape[4]} pixels; LPIPS on VGG-16 needs at least "
                f"{SMALLEST_SIDE} each way. Use larger crops."
            )
        with torch.autocast(device_type=video.device.type, enabled=False):
            with torch.no_grad():
                expected = self._directions(_frames(reference))
            found = self._directions(_frames(video))
            stages = [
                _weigh((a - b).square(), head).mean()
                for a, b, head in zip(expected, found, self.heads, strict=True)
            ]
            return torch.stack(stages).sum()

    def _directions(self, frames: Images) -> list[Maps]:
        """The features of every stage, of unit length at every position, in the precision of the weights."""
        scaled = (frames.to(self.scale.dtype) - self.shift) / self.scale
        return [_unit(maps) for maps in self.trunk(scaled)]


def _frames(video: Video) -> Images:
    """All frames of all clips in a row."""
    return rearrange(video, "b c t h w -> (b t) c h w")


def _unit(maps: Maps) -> Maps:
    """Scale every position to length one; one without features stays zero."""
    power = reduce(maps.square(), "n c h w -> n 1 h w", "sum")
    return maps * torch.rsqrt(power + 1e-20)


def _weigh(maps: Maps, head: Float[Tensor, " _"]) -> Float[Tensor, "n _ _"]:
    """The sum over channels, each with its weight."""
    return reduce(maps * rearrange(head, "c -> c 1 1"), "n c h w -> n h w", "sum")
