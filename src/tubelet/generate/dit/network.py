"""The diffusion transformer (Peebles and Xie 2023, arXiv:2212.09748): from noisy latent and words a velocity.

One modulation by time is shared by all blocks, each of which adds a table of its own (adaLN-single, Chen et
al. 2023, arXiv:2310.00426). Every position attends to every other and to the words, which stand in front.
"""

import math

import torch
from einops import rearrange
from jaxtyping import Bool, Complex, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.errors import ShapeError
from tubelet.generate.attention import attention, norm, project
from tubelet.generate.dit.config import DiTConfig
from tubelet.generate.prompts import Prompts, embed_prompts, prompt_module, seen_keys
from tubelet.generate.rotary import rotations
from tubelet.nn.prefix import column
from tubelet.types import Latent

_TIME = 64
"""Features of a time."""

_MODULATIONS = 6
"""Of a block: scale, shift and gate, of attention and of the hidden layer."""

_GATE, _HIDDEN_GATE = 2, 5
"""Which of them are gates."""


class DiT(nn.Module):
    """Velocity of a latent on its way from noise (time 0) to data (time 1).

    It works on latents of zero mean and unit deviation per channel; `normalise` and `restore` go between
    these and the tokenizer's own.

    Attributes:
        mean: of each channel of the training data.
        deviation: of each channel.
    """

    kind = "dit"

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: DiTConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        width, pixels = config.width, config.channels * config.patch**2
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.words = prompt_module(config.words, text_width=config.text_width, width=width)
            self.slots = nn.Parameter(0.02 * torch.randn(config.slots, width))
            self.enter = nn.Linear(pixels, width)
            self.time = nn.Sequential(
                nn.Linear(_TIME, _TIME), nn.SiLU(), nn.Linear(_TIME, _MODULATIONS * width)
            )
            self.blocks = nn.ModuleList(Block(width, config.heads) for _ in range(config.blocks))
        self.given = nn.Parameter(torch.zeros(width))
        self.lead = nn.Parameter(torch.zeros(width))
        self.last = nn.Parameter(torch.zeros(2, width))
        self.leave = nn.Linear(width, pixels)
        last = self.time[-1]
        assert isinstance(last, nn.Linear), "as it was made"
        for silent in (self.leave.weight, self.leave.bias, last.weight, last.bias):
            nn.init.zeros_(silent)
        self.register_buffer("mean", torch.zeros(config.channels))
        self.register_buffer("deviation", torch.ones(config.channels))

    def forward(
        self,
        latent: Latent,
        times: Float[Tensor, " b"],
        words: Prompts,
        given: Int64[Tensor, " b"],
        *,
        lead: bool,
    ) -> Latent:
        """The velocity at which each latent moves towards data.

        Args:
            latent: noisy, normalised; rows and columns are multiples of the patch.
            times: of each clip, 0 for noise and 1 for data.
            words: of each clip's prompt.
            given: how many leading steps of each clip are data already, to go on from.
            lead: whether the first step is the first of a clip, which stands still.

        Raises:
            ShapeError: rows or columns are not multiples of the patch.
        """
        steps, rows, columns, p = *latent.shape[2:], self.config.patch
        if rows % p or columns % p:
            raise ShapeError(
                f"the latent has {rows}x{columns} positions; they go in {p}x{p}. Give multiples."
            )
        patches = rearrange(latent, "b c t (h p) (w q) -> b t (h w) (c p q)", p=p, q=p)
        features = self.enter(patches) + self._marks(given, steps, lead=lead)
        prompt = embed_prompts(self.words, self.slots, words)
        features = torch.cat([prompt.features, rearrange(features, "b t n f -> b (t n) f")], dim=1)
        seen = seen_keys(prompt.seen, features.shape[1])
        turns = rotations(
            steps, rows // p, columns // p, features=self.config.width // self.config.heads,
            prefix=self.config.slots, device=latent.device,
        )  # fmt: skip
        shared = rearrange(self.time(_time_features(times)), "b (k f) -> b k 1 f", k=_MODULATIONS)
        for block in self.blocks:
            features = block(features, shared, turns, seen)
        features = features[:, self.config.slots :]
        scale, shift = shared[:, 0] + self.last[0], shared[:, 1] + self.last[1]
        out = self.leave(norm(features) * (1 + scale) + shift)
        return rearrange(
            out.float(), "b (t h w) (c p q) -> b c t (h p) (w q)", t=steps, h=rows // p, p=p, q=p
        )

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices of the blocks, which an optimiser for matrices such as Muon may move."""
        return [each for each in self.blocks.parameters() if each.ndim == 2]

    def normalise(self, latent: Latent) -> Latent:
        """A tokenizer's latent as the network takes it."""
        mean, deviation = (column(each) for each in (self.mean, self.deviation))
        return (latent - mean) / deviation

    def restore(self, latent: Latent) -> Latent:
        """The mirror of `normalise`."""
        mean, deviation = (column(each) for each in (self.mean, self.deviation))
        return latent * deviation + mean

    def _marks(self, given: Int64[Tensor, " b"], steps: int, *, lead: bool) -> Float[Tensor, "b t 1 f"]:
        """What tells steps that are data from noisy ones, and the first of a clip from others."""
        index = torch.arange(steps, device=given.device)
        known: Bool[Tensor, "b t"] = index < rearrange(given, "b -> b 1")
        first = (index == 0) & lead
        return rearrange(known.float(), "b t -> b t 1 1") * self.given + (
            rearrange(first.float(), "t -> t 1 1") * self.lead
        )


class Block(nn.Module):
    """Attention, then a hidden layer of four times the width; time says how much of both is added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attend = nn.Linear(width, 3 * width, bias=False)
        self.join = nn.Linear(width, width, bias=False)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.sharpness = nn.Parameter(torch.ones(heads, 1, 1))
        self.table = nn.Parameter(torch.zeros(_MODULATIONS, 1, width))
        with torch.no_grad():
            self.table[[_GATE, _HIDDEN_GATE]] = 0.1

    def forward(
        self,
        features: Float[Tensor, "b n f"],
        shared: Float[Tensor, "b k 1 f"],
        turns: Complex[Tensor, "n p"],
        seen: Bool[Tensor, "b 1 1 n"] | None,
    ) -> Float[Tensor, "b n f"]:
        """The features after this block; in float32, as they came."""
        scale, shift, gate, scale_hidden, shift_hidden, gate_hidden = (shared + self.table).unbind(dim=1)
        inside = norm(features) * (1 + scale) + shift
        features = features + gate * self.join(
            attention(project(self.attend(inside), turns, heads=self.heads), self.sharpness, seen)
        )
        inside = norm(features) * (1 + scale_hidden) + shift_hidden
        return features + gate_hidden * self.narrow(F.silu(self.widen(inside)))


def _time_features(times: Float[Tensor, " b"]) -> Float[Tensor, "b f"]:
    """Sines and cosines of a time, from one wave in all to one in a hundredth of it."""
    count = _TIME // 2
    waves = 2 * math.pi * 100 ** (torch.arange(count, device=times.device) / (count - 1))
    angles = torch.outer(times, waves)
    return torch.cat([angles.cos(), angles.sin()], dim=1)
