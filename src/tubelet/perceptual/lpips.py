"""LPIPS: how far frames are apart in the features of a network that has seen many images.

One network serves the loss and the metric. Its weights are read by `tubelet.perceptual.lpips_weights`;
training compares some frames of every clip with it (`tubelet.losses.sampling`), and clips are measured with
`tubelet.metrics.perceptual`.
"""

from collections.abc import Sequence

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor, nn

from tubelet.checks import check_comparable
from tubelet.errors import ShapeError
from tubelet.perceptual.vgg import Images, Maps
from tubelet.types import Video

SMALLEST_SIDE = 16
"""Rows and columns that VGG-16 needs: its last stage sees the frame halved four times."""

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)


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

    def __init__(self, trunk: nn.Module, heads: Sequence[Float[Tensor, " _"]]) -> None:
        """Hold a trunk, and per stage the weight of each of its channels; both are frozen.

        Args:
            trunk: gives the features of five stages; a `VGG16`, or one that computes otherwise.
            heads: for each stage, the weight of each of its channels.
        """
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

    def forward(self, reference: Video, video: Video) -> Float[Tensor, ""]:
        """Compare every frame with its own; no gradient reaches the reference.

        Raises:
            OptionError: one is not a floating-point tensor, they lie on different devices, or the reference's
                values are of another scale than [-1, 1].
            ShapeError: the shapes differ or hold no numbers, or a side is below 16.
            LatentError: one holds NaN or infinity, and the video asks for no gradient.
        """
        check_comparable(reference, video, stacklevel=2)
        if min(video.shape[3:]) < SMALLEST_SIDE:
            raise ShapeError(
                f"the frames have {video.shape[4]}x{video.shape[3]} pixels; LPIPS on VGG-16 needs at least "
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
