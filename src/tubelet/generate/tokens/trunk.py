"""The transformer of token generators: words in front, then patches of digits."""

from typing import NamedTuple, final

import torch
from einops import rearrange
from jaxtyping import Bool, Complex, Float
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.errors import ShapeError
from tubelet.generate.attention import Projected, attention, norm, project
from tubelet.generate.prompts import EmbeddedPrompts, Prompts, embed_prompts, prompt_module, seen_keys
from tubelet.generate.rotary import rotations
from tubelet.generate.tokens.config import TokenConfig

NEVER = -1e4
"""The logit of a value that a digit does not have; finite, so that guidance can subtract two of them."""


class Grid(NamedTuple):
    """Positions of a window: latent steps, rows and columns."""

    steps: int
    rows: int
    columns: int


@final
class Remembered:
    """Keys and values of the positions that were computed, in each block: the state of its holder."""

    def __init__(self) -> None:
        self._blocks: list[tuple[Tensor, Tensor]] = []

    def with_these(self, block: int, projected: Projected) -> Projected:
        """Keep the keys and values of further positions; give these positions' queries and all keys."""
        if block == len(self._blocks):
            self._blocks.append((projected.key, projected.value))
        else:
            key, value = self._blocks[block]
            self._blocks[block] = (
                torch.cat([key, projected.key], dim=2), torch.cat([value, projected.value], dim=2)
            )  # fmt: skip
        return Projected(projected.query, *self._blocks[block])


class Trunk(nn.Module):
    """Words and patches in, features of patches out."""

    def __init__(self, config: TokenConfig) -> None:
        super().__init__()
        self.config = config
        self.words = prompt_module(config.words, text_width=config.text_width, width=config.width)
        self.slots = nn.Parameter(0.02 * torch.randn(config.slots, config.width))
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.blocks))
        self.lead = nn.Parameter(torch.zeros(config.width))

    def forward(
        self,
        features: Float[Tensor, "b n f"],
        words: Prompts,
        grid: Grid,
        *,
        lead: bool,
        causal: bool,
    ) -> Float[Tensor, "b n f"]:
        """The features of all patches.

        Args:
            features: of each patch.
            words: of each clip's prompt.
            grid: of latent positions.
            lead: whether the first step is the first of a clip, which stands still.
            causal: whether a patch sees only the words, itself and what comes before it.
        """
        slots = self.config.slots
        prompt = self.prompt(words)
        whole = torch.cat([prompt.features, features + self.marks(grid, lead=lead)], dim=1)
        turns = self.turns(grid, features.device)
        seen = seen_keys(prompt.seen, whole.shape[1])
        if causal:
            index = torch.arange(whole.shape[1], device=features.device)
            past = rearrange(index, "m -> 1 m") <= rearrange(index.clamp_min(slots - 1), "n -> n 1")
            seen = past if seen is None else past & seen
        for block in self.blocks:
            whole = block(whole, turns, seen)
        return norm(whole[:, slots:])

    def further(
        self,
        features: Float[Tensor, "b n f"],
        turns: Complex[Tensor, "n p"],
        remembered: Remembered,
        seen: Bool[Tensor, "b l"] | None,
    ) -> Float[Tensor, "b n f"]:
        """The features of one more position, or of the words; causal, with what is remembered before it.

        Args:
            features: of the position.
            turns: of its place.
            remembered: keys and values of those before it; its own are added.
            seen: which slots of the prompt are seen; none for all of them.
        """
        for number, block in enumerate(self.blocks):
            assert isinstance(block, Block), "as it was made"
            features = block.further(features, turns, remembered, number=number, seen=seen)
        return norm(features)

    def prompt(self, words: Prompts) -> EmbeddedPrompts:
        """Features of the words."""
        return embed_prompts(self.words, self.slots, words)

    def marks(self, grid: Grid, *, lead: bool) -> Float[Tensor, "n f"]:
        """What tells the first step of a clip from others."""
        patches = grid.rows * grid.columns // self.config.patch**2
        first = torch.arange(grid.steps * patches, device=self.lead.device) < patches * lead
        return rearrange(first.to(self.lead.dtype), "n -> n 1") * self.lead

    def turns(self, grid: Grid, device: torch.device) -> Complex[Tensor, "n p"]:
        """Turns of the words, which have no place, and of all patches.

        Raises:
            ShapeError: rows or columns are not multiples of the patch.
        """
        p = self.config.patch
        if grid.rows % p or grid.columns % p:
            raise ShapeError(
                f"the grid has {grid.rows}x{grid.columns} positions; they go in {p}x{p}. Give multiples."
            )
        return rotations(
            grid.steps, grid.rows // p, grid.columns // p, features=self.config.width // self.config.heads,
            prefix=self.config.slots, device=device,
        )  # fmt: skip

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices of the blocks, which an optimiser for matrices such as Muon may move."""
        return [each for each in self.blocks.parameters() if each.ndim == 2]


class Block(nn.Module):
    """Attention, then a hidden layer of four times the width; both are added by learned gates."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attend = nn.Linear(width, 3 * width, bias=False)
        self.join = nn.Linear(width, width, bias=False)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.sharpness = nn.Parameter(torch.ones(heads, 1, 1))
        self.gates = nn.Parameter(torch.full((2, width), 0.1))

    def forward(
        self,
        features: Float[Tensor, "b n f"],
        turns: Complex[Tensor, "n p"],
        seen: Bool[Tensor, "*_ n_or_1 n"] | None,
    ) -> Float[Tensor, "b n f"]:
        """The features of all positions after this block."""
        projected = project(self.attend(norm(features)), turns, heads=self.heads)
        return self._added(features, attention(projected, self.sharpness, seen))

    def further(
        self,
        features: Float[Tensor, "b n f"],
        turns: Complex[Tensor, "n p"],
        remembered: Remembered,
        *,
        number: int,
        seen: Bool[Tensor, "b l"] | None,
    ) -> Float[Tensor, "b n f"]:
        """The features of further positions, which see all that is remembered, and one another."""
        projected = project(self.attend(norm(features)), turns, heads=self.heads)
        everything = remembered.with_these(number, projected)
        keys = seen_keys(seen, everything.key.shape[2])
        return self._added(features, attention(everything, self.sharpness, keys))

    def _added(self, features: Tensor, mixed: Tensor) -> Tensor:
        features = features + self.gates[0] * self.join(mixed)
        return features + self.gates[1] * self.narrow(F.silu(self.widen(norm(features))))


def impossible(bases: tuple[int, ...]) -> Bool[Tensor, "k v"]:
    """Which values each digit does not have, of as many as the largest base."""
    values = torch.arange(max(bases))
    return rearrange(values, "v -> 1 v") >= rearrange(torch.tensor(bases), "k -> k 1")
