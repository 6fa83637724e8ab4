"""Attention of every kind of generator: queries and keys are normed and turned by their places."""

import math
from typing import NamedTuple

from einops import rearrange
from jaxtyping import Bool, Complex, Float
from torch import Tensor
from torch.nn import functional as F

from tubelet.generate.rotary import rotate


class Projected(NamedTuple):
    """What attention compares and gives, head by head."""

    query: Float[Tensor, "b h n d"]
    key: Float[Tensor, "b h m d"]
    value: Float[Tensor, "b h m d"]


def project(features: Float[Tensor, "b n khd"], turns: Complex[Tensor, "n p"], *, heads: int) -> Projected:
    """Split a projection into queries, keys and values; the first two are normed, so no product grows large.

    Args:
        features: of each position, three times the width.
        turns: of each position's place (`rotary.rotations`).
        heads: of the attention.
    """
    parts = rearrange(features, "b n (k h d) -> b n k h d", k=3, h=heads)
    turned = rotate(norm(parts[:, :, :2].float()), turns).to(parts.dtype)
    return Projected(
        *(rearrange(each, "b n h d -> b h n d") for each in (*turned.unbind(dim=2), parts[:, :, 2]))
    )


def attention(
    projected: Projected, sharpness: Float[Tensor, "h 1 1"], seen: Bool[Tensor, "*_ n_or_1 m"] | None = None
) -> Float[Tensor, "b n hd"]:
    """What each position takes of the values of others.

    Args:
        projected: queries, keys and values.
        sharpness: of each head, by which its products are multiplied.
        seen: which keys each query sees, ``n m``, or each clip's queries, ``b 1 1 m`` or ``b 1 n m``; all of
            them for none.
    """
    query, key, value = projected
    scale = (sharpness / math.sqrt(query.shape[-1])).to(query.dtype)
    if query.device.type == "cpu":
        # Torch's own takes two to four times as long there, with gradients and sequences of this length.
        weights = (query @ rearrange(key, "b h m d -> b h d m")) * scale
        if seen is not None:
            weights = weights.masked_fill(~seen, -math.inf)
        mixed = weights.softmax(dim=-1) @ value
    else:
        mixed = F.scaled_dot_product_attention(query * scale, key, value, attn_mask=seen, scale=1.0)
    return rearrange(mixed, "b h n d -> b n (h d)")


def norm(features: Tensor) -> Tensor:
    """Zero mean and unit variance over the features of each position."""
    return F.layer_norm(features, features.shape[-1:])
