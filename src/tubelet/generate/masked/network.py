"""The masked transformer (MaskGIT, Chang et al. 2022, arXiv:2202.04200): from some digits the others.

Digits are hidden one by one, not whole tokens: a position of which some are known is the usual case, so what
depends on one another within a token is made one after the other.
"""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from tubelet.generate.prompts import Prompts
from tubelet.generate.tokens.config import TokenConfig
from tubelet.generate.tokens.digits import DigitGrid, from_patches, one_hot, to_patches
from tubelet.generate.tokens.trunk import NEVER, Grid, Trunk, impossible


class MaskedTransformer(nn.Module):
    """Logits of every digit of a window, of which any may be hidden."""

    kind = "masked"

    def __init__(self, config: TokenConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        bases = config.patch_bases
        self._shown = tuple(base + 1 for base in bases)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.enter = nn.Linear(sum(self._shown), config.width)
            self.trunk = Trunk(config)
        self.leave = nn.Linear(config.width, len(bases) * max(bases))
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, seen: DigitGrid, words: Prompts, *, lead: bool) -> Float[Tensor, "b d t h w v"]:
        """Logits of the values of each digit, in float32 at least.

        Args:
            seen: digits; one that is hidden has the value of its base.
            words: of each clip's prompt.
            lead: whether the first step is the first of a clip.
        """
        steps, rows, columns = seen.shape[2:]
        bases, patch = self.config.patch_bases, self.config.patch
        shown = one_hot(to_patches(seen, patch), self._shown).to(self.enter.weight.dtype)
        grid = Grid(steps, rows, columns)
        features = self.trunk(self.enter(shown), words, grid, lead=lead, causal=False)
        logits = rearrange(self.leave(features), "b n (k v) -> b n k v", k=len(bases))
        logits = logits if logits.dtype == torch.float64 else logits.float()
        logits = logits.masked_fill(impossible(bases).to(logits.device), NEVER)
        return from_patches(logits, patch, steps=steps, rows=rows)

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices of the blocks."""
        return self.trunk.hidden_matrices()

    def shard_units(self) -> list[nn.Module]:
        """The blocks."""
        return list(self.trunk.blocks)
