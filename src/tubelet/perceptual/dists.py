"""DISTS: how far frames are apart in the structure and in the texture of what VGG-16 sees.

The network alone; its weights are read by `tubelet.perceptual.dists_weights`, and clips are measured with
`tubelet.metrics.perceptual`.
"""

from collections.abc import Sequence
from itertools import accumulate

import torch
from einops import rearrange, reduce, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.checks import check_clip
from tubelet.errors import ShapeError
from tubelet.perceptual.vgg import STAGES, Maps, stage_features, vgg_features
from tubelet.types import Video

SMALLEST_SIDE = 32
"""Rows and columns of a frame: its last stage then has four positions; a single one has no texture."""

_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)
_STABILITY = 1e-6
"""What keeps the fractions finite where there are no features: both constants of the paper."""


class L2Pool(nn.Module):
    """Halve maps by the root of the weighed mean square of 3x3 positions, Hann weights 1 2 1 each way.

    It is odd-sized and smooth, so nothing aliases as it does under a maximum (Hénaff & Simoncelli 2015).
    """

    def forward(self, maps: Maps) -> Maps:
        """Give maps of half the rows and columns, rounded up."""
        line = torch.tensor([0.25, 0.5, 0.25], dtype=maps.dtype, device=maps.device)
        channels = maps.shape[1]
        window = repeat(torch.outer(line, line), "y x -> c 1 y x", c=channels)
        return (F.conv2d(maps.square(), window, stride=2, padding=1, groups=channels) + 1e-12).sqrt()


class DISTS(nn.Module):
    """DISTS (Ding et al. 2020, arXiv:2004.07728); 0 for equal frames, about 1 for unrelated ones.

    Features are the frame itself and the last of every stage of a VGG-16 whose poolings are `L2Pool`. Of each
    channel of both frames, x and y, over all positions, with c = 1e-6,

        texture    (2 · mean x · mean y + c) / (mean² x + mean² y + c)
        structure  (2 · covariance xy + c) / (variance x + variance y + c)

    and the distance is 1 - Σ (alpha · texture + beta · structure), the weights learned per channel and scaled
    to a sum of 1, all together. Then the mean over frames. Texture forgives shifts, so it says little of
    motion. Frames are compared at their size; published figures are of pictures scaled to 256 rows or
    columns.
    """

    mean: Float[Tensor, "3 1 1"]
    deviation: Float[Tensor, "3 1 1"]
    alpha: Float[Tensor, " c"]
    beta: Float[Tensor, " c"]

    def __init__(
        self, channels: Sequence[int], alpha: Float[Tensor, " c"], beta: Float[Tensor, " c"]
    ) -> None:
        """Build an untrained trunk, frozen; its layers have torchvision's names, from `features.0.weight` on.

        Args:
            channels: of each of the 13 convolutions; 64 64, 128 128, 256 256 256, 512 512 512, 512 512 512.
            alpha: weights of textures: of the 3 colours, then of the last channels of each stage.
            beta: weights of structures, likewise.

        Raises:
            ShapeError: the weights are not as many as the channels.
        """
        super().__init__()
        ends = accumulate(map(len, STAGES))
        self._sizes = [3, *(channels[end - 1] for end in ends)]
        if not len(alpha) == len(beta) == sum(self._sizes):
            raise ShapeError(
                f"there are {len(alpha)} and {len(beta)} weights for {sum(self._sizes)} channels of "
                "features; each channel has one of texture and one of structure."
            )
        self.features = vgg_features(channels, L2Pool)
        total = (alpha.sum() + beta.sum()).clone()
        self.register_buffer("alpha", alpha / total)
        self.register_buffer("beta", beta / total)
        self.register_buffer("mean", rearrange(torch.tensor(_MEAN, dtype=torch.float32), "c -> c 1 1"))
        self.register_buffer(
            "deviation", rearrange(torch.tensor(_DEVIATION, dtype=torch.float32), "c -> c 1 1")
        )
        self.requires_grad_(requires_grad=False)

    def forward(self, reference: Video, video: Video) -> Float[Tensor, ""]:
        """Compare every frame with its own.

        Raises:
            ShapeError: a side is below `SMALLEST_SIDE`, or there is no frame.
        """
        for name, each in (("reference", reference), ("video", video)):
            check_clip(each, name, least_frames=0)
        if min(video.shape[3:]) < SMALLEST_SIDE or not video.numel():
            raise ShapeError(
                f"the videos are {tuple(video.shape)}; DISTS needs a frame, and at least {SMALLEST_SIDE} "
                "rows and columns. Leave this clip out."
            )
        likeness: list[Float[Tensor, " n"]] = []
        weights = zip(self.alpha.split(self._sizes), self.beta.split(self._sizes), strict=True)
        pairs = zip(self._maps(reference), self._maps(video), strict=True)
        for (alpha, beta), (one, other) in zip(weights, pairs, strict=True):
            likeness.append(_likeness(one, other, alpha, beta))
        return 1 - torch.stack(likeness).sum(dim=0).mean()

    def _maps(self, video: Video) -> list[Maps]:
        """The frames and the last features of every stage, in the precision of the weights."""
        frames = rearrange(video, "b c t h w -> (b t) c h w").to(self.alpha.dtype).add(1).div(2)
        return [frames, *stage_features(self.features, (frames - self.mean) / self.deviation)]


def _likeness(
    one: Maps, other: Maps, alpha: Float[Tensor, " c"], beta: Float[Tensor, " c"]
) -> Float[Tensor, " n"]:
    """The weighed sum of texture and structure over channels."""
    first, second = (reduce(each, "n c h w -> n c 1 1", "mean") for each in (one, other))
    x, y = one - first, other - second
    variances = reduce(x.square() + y.square(), "n c h w -> n c", "mean")
    covariance = reduce(x * y, "n c h w -> n c", "mean")
    first, second = (rearrange(each, "n c 1 1 -> n c") for each in (first, second))
    texture = (2 * first * second + _STABILITY) / (first.square() + second.square() + _STABILITY)
    structure = (2 * covariance + _STABILITY) / (variances + _STABILITY)
    return texture @ alpha + structure @ beta
