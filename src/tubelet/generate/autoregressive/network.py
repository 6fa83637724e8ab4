"""The causal transformer of tokens: each patch from the words and the patches before it, digit by digit."""

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.generate.prompts import Prompts
from tubelet.generate.tokens.config import TokenConfig
from tubelet.generate.tokens.digits import DigitGrid, Patches, from_patches, one_hot, to_patches
from tubelet.generate.tokens.trunk import NEVER, Grid, Trunk, impossible

_HIDDEN = 32
"""Features of the head of each digit."""


class AutoregressiveTransformer(nn.Module):
    """Logits of every digit of a window, given all digits before it.

    Patches come step by step and row by row, the positions of a patch row by row, and their digits as the
    quantiser has them. At the place of a patch stand the digits of the one before.
    """

    kind = "autoregressive"

    def __init__(self, config: TokenConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.enter = nn.Linear(sum(config.patch_bases), config.width)
            self.begin = nn.Parameter(0.02 * torch.randn(config.width))
            self.trunk = Trunk(config)
            self.heads = DigitHeads(config.width, config.patch_bases)

    def forward(self, seen: DigitGrid, words: Prompts, *, lead: bool) -> Float[Tensor, "b d t h w v"]:
        """Logits of the values of each digit, given those before it; in float32 at least.

        Args:
            seen: all digits.
            words: of each clip's prompt.
            lead: whether the first step is the first of a clip.
        """
        steps, rows, columns = seen.shape[2:]
        patches = to_patches(seen, self.config.patch)
        first = self.begin.expand(len(seen), 1, -1)
        entered = torch.cat([first, self.embed(patches[:, :-1])], dim=1)
        features = self.trunk(entered, words, Grid(steps, rows, columns), lead=lead, causal=True)
        return from_patches(self.heads(features, patches), self.config.patch, steps=steps, rows=rows)

    def embed(self, patches: Patches) -> Float[Tensor, "b n f"]:
        """Features of the digits of patches."""
        return self.enter(one_hot(patches, self.config.patch_bases).to(self.enter.weight.dtype))

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices of the blocks."""
        return self.trunk.hidden_matrices()

    def shard_units(self) -> list[nn.Module]:
        """The blocks."""
        return list(self.trunk.blocks)


class DigitHeads(nn.Module):
    """A small head for each digit of a patch, given the digits of the patch before it.

    In training all are computed at once: `before` adds to the hidden features of each head what the digits
    before it say, and nothing of the others.
    """

    def __init__(self, width: int, bases: tuple[int, ...]) -> None:
        super().__init__()
        self.bases = bases
        digits = len(bases)
        self.features = nn.Linear(width, digits * _HIDDEN)
        self.before = nn.Parameter(0.02 * torch.randn(sum(bases), digits, _HIDDEN))
        self.out = nn.Parameter(torch.zeros(digits, _HIDDEN, max(bases)))
        self.bias = nn.Parameter(torch.zeros(digits, max(bases)))

    def forward(self, features: Float[Tensor, "b n f"], patches: Patches) -> Float[Tensor, "b n k v"]:
        """Logits of all digits of all patches.

        Args:
            features: of each patch, which know nothing of its digits.
            patches: their digits; each head is given those before its own.
        """
        hidden = rearrange(self.features(features), "b n (k r) -> b n k r", r=_HIDDEN)
        owner = torch.repeat_interleave(
            torch.arange(len(self.bases), device=patches.device),
            torch.tensor(self.bases, device=patches.device),
        )
        earlier = rearrange(owner, "s -> s 1") < torch.arange(len(self.bases), device=patches.device)
        before = self.before * rearrange(earlier.to(self.before.dtype), "s k -> s k 1")
        said = one_hot(patches, self.bases).to(before.dtype)
        hidden = hidden + torch.einsum("bns,skr->bnkr", said, before)
        return self._logits(hidden, slice(None))

    def one(self, features: Float[Tensor, "b f"], known: Int64[Tensor, "b j"]) -> Float[Tensor, "b v"]:
        """Logits of the digit after those that are known, of one patch."""
        digit = known.shape[1]
        weight = rearrange(self.features.weight, "(k r) f -> k r f", r=_HIDDEN)[digit]
        bias = rearrange(self.features.bias, "(k r) -> k r", r=_HIDDEN)[digit]
        hidden = F.linear(features, weight, bias)
        if digit:
            said = one_hot(known, self.bases[:digit]).to(hidden.dtype)
            hidden = hidden + said @ self.before[: said.shape[1], digit]
        logits = self._logits(rearrange(hidden, "b r -> b 1 1 r"), slice(digit, digit + 1))
        return rearrange(logits, "b 1 1 v -> b v")

    def _logits(self, hidden: Tensor, digits: slice) -> Tensor:
        out = torch.einsum("bnkr,krv->bnkv", F.silu(hidden), self.out[digits]) + self.bias[digits]
        out = out if out.dtype == torch.float64 else out.float()
        return out.masked_fill(impossible(self.bases)[digits].to(out.device), NEVER)
