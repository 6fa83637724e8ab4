"""VideoMAE: a transformer on space-time patches that learnt by filling in what was hidden.

The encoder alone; its weights are read by `tubelet.perceptual.videomae_weights`.
"""

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.errors import ShapeError
from tubelet.perceptual.clip_size import resize_frames
from tubelet.types import Video

TokenFeatures = Float[Tensor, "b n d"]
"""What the encoder makes of the n patches of clips, frame pair by frame pair and row by row."""

FRAMES = 16
"""Of every clip."""

SIDE = 224
"""Rows and columns of what the network sees."""

_PAIR = 2
"""Frames of a patch."""


class VideoMAE(nn.Module):
    """The encoder of VideoMAE (Tong et al. 2022, arXiv:2203.12602) with the norm before its classifier.

    A clip's features are the mean of all patches after the last block, through that norm: what a fine-tuned
    network classifies by, and what the FVD of Ge et al. 2024 (arXiv:2404.12391) compares. As in their program
    (cd-fvd), frames are resized to 224x224 whatever their shape, bilinear without antialiasing, and go in as
    values in [0, 1]. Networks were trained on frames normalised by the mean and deviation of ImageNet; cd-fvd
    leaves that out, and so its figures do.

    Norms have 1e-6 beside the variance, as those of the authors; transformers has 1e-12 and, in the last one,
    1e-5.

    Args:
        width: numbers per patch, d.
        hidden: numbers between the two linear layers of a block.
        depth: blocks.
        heads: of attention; they share the width.
        patch: rows and columns of a patch; it divides 224.
    """

    def __init__(self, *, width: int, hidden: int, depth: int, heads: int, patch: int) -> None:
        super().__init__()
        self.heads = heads
        size = (_PAIR, patch, patch)
        self.projection = nn.Conv3d(3, width, kernel_size=size, stride=size)
        self.blocks = nn.ModuleList(_Block(width, hidden, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, video: Video) -> Float[Tensor, "b d"]:
        """Give the features of each clip.

        Raises:
            ShapeError: there are not `FRAMES` frames, or no pixels.
        """
        if video.shape[2] != FRAMES or not video.numel():
            raise ShapeError(
                f"the clips are {tuple(video.shape)}; VideoMAE takes {FRAMES} frames, no more and no fewer. "
                "Cut them into such runs."
            )
        frames = resize_frames(video, SIDE).to(self.projection.weight.dtype).add(1).div(2)
        tokens: TokenFeatures = rearrange(self.projection(frames), "b d t h w -> b (t h w) d")
        tokens = tokens + positions(tokens.shape[1], tokens.shape[2]).to(tokens)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(reduce(tokens, "b n d -> b d", "mean"))


class _Block(nn.Module):
    """Attention and a small network, each beside what comes in, each after a norm."""

    def __init__(self, width: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, eps=1e-6)
        self.attention = _Attention(width, heads)
        self.network_norm = nn.LayerNorm(width, eps=1e-6)
        self.widen = nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)

    def forward(self, tokens: TokenFeatures) -> TokenFeatures:
        tokens = tokens + self.attention(self.attention_norm(tokens))
        return tokens + self.narrow(F.gelu(self.widen(self.network_norm(tokens))))


class _Attention(nn.Module):
    """Every patch looks at all patches of the clip. Keys have no bias: it would change nothing."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, tokens: TokenFeatures) -> TokenFeatures:
        query, key, value = (
            rearrange(layer(tokens), "b n (heads d) -> b heads n d", heads=self._heads)
            for layer in (self.query, self.key, self.value)
        )
        seen = F.scaled_dot_product_attention(query, key, value)
        return self.output(rearrange(seen, "b heads n d -> b n (heads d)"))


def positions(count: int, width: int) -> Float[Tensor, "n d"]:
    """What tells patches apart: sines and cosines of their number (Vaswani et al. 2017, section 3.5).

    Patches of a clip are numbered through, so time, rows and columns share one axis.
    """
    pairs = torch.arange(width, dtype=torch.float64).div(2, rounding_mode="floor")
    angles = torch.outer(torch.arange(count, dtype=torch.float64), 10000.0 ** (-2 * pairs / width))
    even = torch.arange(width) % 2 == 0
    return torch.where(even, angles.sin(), angles.cos())
