"""What an iteration runs: the flow from some state to its end, on what a frozen decoder gave."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tubelet.models.flow.config import FlowConfig
from tubelet.models.flow.model import FlowModel
from tubelet.models.klt.model import PART
from tubelet.nn.blocks import Rates
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Counts, Video

State = Float[Tensor, "b c t h w"]
"""Noise, the residual, or what is between them."""


class Frozen(NamedTuple):
    """What the frozen tokenizer makes of a batch.

    Attributes:
        decoded: the coefficients that its decoder gives.
        rates: how much the decoder knew of each position, as weights of the knots of `RateGain`.
        size: how large what they lack usually is.
        residual: what they lack, in that unit.
    """

    decoded: State
    rates: Rates
    size: State
    residual: State


class FlowNetwork(nn.Module):
    """The flow as it is trained: one call, because DDP and FSDP watch calls.

    Attributes:
        tokenizer: what is trained, with the frozen model inside.
    """

    def __init__(self, model: FlowModel, config: FlowConfig) -> None:
        super().__init__()
        self.tokenizer = ContinuousTokenizer(model, lead_frame=config.lead_frame, config=config)

    @property
    def model(self) -> FlowModel:
        """The tokenizer's model."""
        model = self.tokenizer.model
        assert isinstance(model, FlowModel)
        return model

    @torch.no_grad()
    def frozen(self, clips: Video, counts: Counts) -> Frozen:
        """What the frozen tokenizer makes of clips of which its decoder gets so many channels."""
        base, refiner = self.model.base, self.model.refiner
        groups = self.tokenizer.grouping.group(clips)
        latents = base.encode_groups(groups, None).latents
        given, _ = base.decode_coefficients(latents, None, {PART: counts})
        decoded, rates = given.coefficients, given.features.rates
        size = refiner.size(decoded, rates)
        return Frozen(decoded, rates, size, (base.transform(groups) - decoded) / size)

    def forward(self, state: State, frozen: Frozen, *, time: Float[Tensor, "b 1 1 1 1"], steps: int) -> State:
        """Go from a state at some time to the end of the flow (see `Refiner.integrate`)."""
        return self.model.refiner.integrate(state, frozen.decoded, frozen.rates, time=time, steps=steps)

    def to_video(self, frozen: Frozen, residual: State, clips: Video) -> Video:
        """The clips that coefficients with this residual are."""
        groups = self.model.base.transform.inverse(frozen.decoded + frozen.size * residual)
        frames, height, width = clips.shape[2:]
        return self.tokenizer.grouping.ungroup(groups, frames=frames, height=height, width=width)
