"""The Karhunen-Loève transform of space-time patches: the best linear code of K numbers per patch."""

from math import prod

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.nn.patches import patches_to_video, video_to_patches
from tubelet.types import Stride


class KLT(nn.Module):
    """Orthonormal linear transform of patches to K coefficients, strongest first, and back.

    A patch is read in the order frames, rows, columns, input channels: the order in which decoded frames
    lie in memory. The transform keeps no statistics other than its basis and the mean patch.

    Attributes:
        patch: frames, rows and columns of the input per position of the output.
        basis: ``K x D`` with orthonormal rows, where D = patch volume times input channels.
        mean: the mean patch, ``D``.
    """

    def __init__(self, patch: Stride, *, inputs: int, outputs: int) -> None:
        super().__init__()
        self.patch = patch
        self.inputs = inputs
        size = patch.t * patch.h * patch.w * inputs
        basis = torch.zeros(outputs, size)
        # Not torch.eye: where weights are to come from a file, it imports a system of symbolic algebra.
        basis.diagonal().fill_(1)
        self.basis = nn.Parameter(basis)
        self.mean = nn.Parameter(torch.zeros(size))

    def forward(self, x: Float[Tensor, "b c T H W"]) -> Float[Tensor, "b k t h w"]:
        """Transform whole patches; the sides of `x` are multiples of the patch."""
        return rearrange(self.project(video_to_patches(x, self.patch)), "b t h w k -> b k t h w")

    def inverse(self, coefficients: Float[Tensor, "b k t h w"]) -> Float[Tensor, "b c T H W"]:
        """Rebuild patches from the first k coefficients; the others are taken as zero."""
        patches = self.rebuild(rearrange(coefficients, "b k t h w -> b t h w k"))
        return patches_to_video(patches, self.patch, channels=self.inputs)

    def project(self, patches: Float[Tensor, "*any d"]) -> Float[Tensor, "*any k"]:
        """The coefficients of patches."""
        with torch.autocast(patches.device.type, enabled=False):  # a rounded basis is not orthonormal
            return F.linear(patches, self.basis, -(self.basis @ self.mean))

    def rebuild(self, coefficients: Float[Tensor, "*any k"]) -> Float[Tensor, "*any d"]:
        """Undo `project`, from the first k coefficients."""
        basis = self.basis[: coefficients.shape[-1]]
        with torch.autocast(coefficients.device.type, enabled=False):  # a rounded basis is not orthonormal
            return F.linear(coefficients, basis.T, self.mean)


class KLTCascade(nn.Module):
    """One KLT on pixels, and further ones on the coefficients of the one before: deeper strides, same code.

    The output is divided by the standard deviation of each coefficient, so that it has unit variance on the
    data that the cascade was fitted to; the mean is zero because each level subtracts its own.
    """

    def __init__(self, patches: tuple[Stride, ...], coefficients: tuple[int, ...]) -> None:
        super().__init__()
        inputs = (3, *coefficients[:-1])
        self.levels = nn.ModuleList(
            KLT(patch, inputs=i, outputs=o) for patch, i, o in zip(patches, inputs, coefficients, strict=True)
        )
        self.register_buffer("deviation", torch.ones(coefficients[-1]))
        self.deviation: Tensor
        self.patches = patches
        self.coefficients = coefficients
        self.stride = Stride(*(prod(sides) for sides in zip(*patches, strict=True)))

    @property
    def klts(self) -> list[KLT]:
        """The levels, pixels first."""
        return [level for level in self.levels if isinstance(level, KLT)]

    def forward(self, video: Float[Tensor, "b 3 T H W"]) -> Float[Tensor, "b k t h w"]:
        """Pixels to coefficients of unit variance; the sides are multiples of the stride."""
        x = video
        for level in self.klts:
            x = level(x)
        return x / rearrange(self.deviation, "k -> k 1 1 1")

    def inverse(self, coefficients: Float[Tensor, "b k t h w"]) -> Float[Tensor, "b 3 T H W"]:
        """Coefficients of unit variance, or the first k of them, to pixels."""
        x = coefficients * rearrange(self.deviation[: coefficients.shape[1]], "k -> k 1 1 1")
        for level in reversed(self.klts):
            x = level.inverse(x)
        return x


def correction_scale(deviation: Float[Tensor, " k"], counts: Int[Tensor, "..."]) -> Float[Tensor, "..."]:
    """By how much to scale a network's corrections, so that they are of the order of one at every rate.

    With the first k coefficients known, a linear decoder errs by the size of coefficient k, in pixels. No
    correction moves pixels by more than that, nor by more than its own coefficient can (decision 0015).

    Args:
        deviation: of each coefficient.
        counts: known channels, a number or ``b 1 t h w``.

    Returns:
        A factor for each coefficient, ``b c t h w``.
    """
    own = rearrange(deviation, "k -> k 1 1 1")
    return torch.minimum(deviation[counts.clamp(max=len(deviation) - 1)], own) / own
