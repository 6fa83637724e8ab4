"""All networks of a prior as they are trained: one for each group of channels, one for the map of counts."""

from dataclasses import dataclass
from typing import cast

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int64
from torch import Tensor, nn

from tubelet.priors.numbers import LEAST_STEP, STEP_UNIT, STEPS
from tubelet.train.prior.group_network import GroupNetwork, Predicted
from tubelet.train.prior.likelihood import closed_bits, open_bits
from tubelet.train.prior.seen import Seen

_MAP_PASSES = 4
_MAP_SCALE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbols:
    """A batch of symbols with what their prior is given.

    Attributes:
        values: whole numbers; of digits d of a base, 2 d - (base - 1). 0 beyond a position's channels.
        counts: channels of each position.
        classes: which of the permitted counts that is, d of n, as 2 d - (n - 1).
        class_count: the number of permitted counts; 1 for a clip without a map.
        step_class: of the quantiser's step, from 0.
    """

    values: Float[Tensor, "b c t h w"]
    counts: Int64[Tensor, "b 1 t h w"]
    classes: Float[Tensor, "b 1 t h w"]
    class_count: Int64[Tensor, " b"]
    step_class: Int64[Tensor, " b"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What symbols cost.

    Attributes:
        groups: bits of each group of channels of each clip.
        maps: bits of the map of counts of each clip, 0 where it has none.
    """

    groups: Float[Tensor, "b g"]
    maps: Float[Tensor, " b"]


class PriorNetwork(nn.Module):
    """The networks of a prior.

    Args:
        groups: channels of each group, from the first to before the last.
        bases: of digits; none for a latent.
        scales: base-2 logarithms of what to expect of each channel, at the usual quantiser step.
        hidden: features of each hidden layer.
        four_passes: channels below this are coded in four passes.
        seed: of the first weights.
    """

    def __init__(
        self,
        groups: tuple[tuple[int, int], ...],
        *,
        bases: tuple[int, ...],
        scales: Float[Tensor, " c"],
        hidden: int,
        four_passes: int,
        seed: int,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        finer = 0.0 if bases else rearrange((torch.arange(STEPS) + LEAST_STEP) / STEP_UNIT, "k -> k 1")
        self.channels, self.bases = groups, bases
        networks = [
            GroupNetwork(
                start,
                stop - start,
                passes=4 if stop <= four_passes else 2,
                hidden=hidden,
                scale=scales[start:stop] - finer,
                generator=generator,
            )
            for start, stop in groups
        ]
        self.groups = nn.ModuleList(networks)
        self.map = GroupNetwork(
            0, 1, passes=_MAP_PASSES, hidden=hidden, scale=torch.tensor(_MAP_SCALE), generator=generator
        )

    @property
    def networks(self) -> list[GroupNetwork]:
        """The network of each group."""
        return cast(list[GroupNetwork], list(self.groups))

    def forward(self, symbols: Symbols) -> Cost:
        """The bits of all symbols and maps of a batch."""
        seen = Seen.of(symbols.values, symbols.counts, symbols.step_class)
        values = rearrange(symbols.values, "b c t h w -> (b t) c h w")
        counts = rearrange(symbols.counts, "b 1 t h w -> (b t) 1 h w")
        costs = []
        for (start, stop), network in zip(self.channels, self.networks, strict=True):
            predicted, own = network(seen), values[:, start:stop]
            if self.bases:
                base = rearrange(torch.tensor(self.bases[start:stop]).float(), "c -> c 1 1")
                bits = closed_bits(own, predicted, base)
            else:
                bits = open_bits(own, predicted)
            present = counts > rearrange(torch.arange(start, stop), "c -> c 1 1")
            costs.append(_per_clip(bits * present, len(symbols.values)))
        return Cost(groups=torch.stack(costs, dim=1), maps=self._map_costs(symbols))

    def expect(self, symbols: Symbols) -> list[Predicted]:
        """What the network of each group says of its symbols."""
        seen = Seen.of(symbols.values, symbols.counts, symbols.step_class)
        return [network(seen) for network in self.networks]

    def _map_costs(self, symbols: Symbols) -> Float[Tensor, " b"]:
        has_map = symbols.class_count > 1
        costs = torch.zeros(len(has_map))
        if not bool(has_map.any()):
            return costs
        classes, steps = symbols.classes[has_map], symbols.classes.shape[2]
        seen = Seen.of(classes, torch.zeros_like(symbols.counts[has_map]), symbols.step_class[has_map])
        base = rearrange(symbols.class_count[has_map].repeat_interleave(steps), "n -> n 1 1 1").float()
        own = rearrange(classes, "b 1 t h w -> (b t) 1 h w")
        bits = closed_bits(own, self.map(seen), base)
        return costs.masked_scatter(has_map, _per_clip(bits, len(classes)))


def _per_clip(bits: Float[Tensor, "n c h w"], clips: int) -> Float[Tensor, " b"]:
    return reduce(bits, "(b t) c h w -> b", "sum", b=clips)


def groups_of(channels: int, *, bases: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Groups of a latent's channels, each as large as all before it; of tokens, a group for each digit."""
    if bases:
        return tuple((digit, digit + 1) for digit in range(channels))
    starts = [0, *(start for power in range(1, 12) if (start := 1 << power) < channels)]
    return tuple(zip(starts, [*starts[1:], channels], strict=True))
