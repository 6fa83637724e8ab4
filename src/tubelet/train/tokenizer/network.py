"""What a training step runs: a tokenizer there and back in one call, so that processes can share it."""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from tubelet.codec.budget import price_of_step
from tubelet.codec.symbols import BASE_STEP
from tubelet.losses.pair import Pair
from tubelet.models.klt.config import KLTConfig
from tubelet.models.motion.config import MotionConfig
from tubelet.nn.prefix import column
from tubelet.quantizers.config import QuantizerConfig
from tubelet.quantizers.protocol import Quantized, Quantizer
from tubelet.tokenizers.ahead import predictive_model, with_steps_ahead
from tubelet.tokenizers.allocation import allocate
from tubelet.tokenizers.clip import main_part
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.posterior import Posterior
from tubelet.train.tokenizer.rate import RateModel
from tubelet.train.tokenizer.turns import Turn, turned, turned_counts
from tubelet.types import Counts, Latent, Video


class Drawn(NamedTuple):
    """What a step draws at random for each clip; none of what does not take part.

    Attributes:
        counts: channels that each position keeps.
        noise: added to the latent before it is decoded.
        spread: standard normal noise for drawing from the posterior; none to decode its mean.
        budgets: mean number of channels per position, to be spent where the latent's energy is; infinite for
            a clip that keeps its `counts`.
        steps: the quantiser's step, in the unit of a file's; 0 for a clip that is not rounded.
        dither: even noise from -0.5 to 0.5, in steps of the quantiser, from which bits are estimated.
        ahead: how many of the last steps are dropped from the latents, and predicted.
        turn: how the latent is turned before it is decoded once more.
    """

    counts: Counts
    noise: Latent | None = None
    spread: Latent | None = None
    budgets: Float[Tensor, " b"] | None = None
    steps: Float[Tensor, " b"] | None = None
    dither: Latent | None = None
    ahead: int = 0
    turn: Turn | None = None

    def to(self, device: torch.device) -> "Drawn":
        """The same on a device."""
        moved = {name: each.to(device) for name, each in self._asdict().items() if isinstance(each, Tensor)}
        return self._replace(**moved)


class Reconstruction(NamedTuple):
    """A clip there and back.

    Attributes:
        video: what came back.
        posterior: the distribution of the latent; none if the tokenizer knows none.
        latent: what the encoder gave.
        quantized: what the quantiser made of it; none where there is none.
        ahead: how many frames at the end were predicted.
        bits_worth: squared error that the bits of each clip must take away, at the price that belongs to its
            step; 0 for a clip that is not rounded, none where bits are not estimated.
        turned: the clip turned, and what its latent turned alike decodes to; none where nothing is turned.
    """

    video: Video
    posterior: Posterior | None
    latent: Latent
    quantized: Quantized | None
    ahead: int
    bits_worth: Float[Tensor, " b"] | None = None
    turned: Pair | None = None


class Network(nn.Module):
    """Encode, quantise, add noise, drop channels, decode: one call, because DDP and FSDP watch calls.

    Of a latent of several parts this is done with the one of ordered channels; the others stay as they are.

    Attributes:
        tokenizer: the continuous tokenizer, or the backbone of a discrete one.
        quantizer: of a discrete one.
        rate: estimates bits; none where they do not count.
    """

    def __init__(
        self, tokenizer: ContinuousTokenizer, quantizer: Quantizer | None = None, *, rate: bool = False
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.quantizer = quantizer
        self.rate = RateModel(tokenizer.channels) if rate else None

    @classmethod
    def build(
        cls, model: KLTConfig | MotionConfig, quantizer: QuantizerConfig | None, *, rate: bool = False
    ) -> "Network":
        """A network of no data yet."""
        tokenizer = ContinuousTokenizer.of(model)
        made = None if quantizer is None else quantizer.build(tokenizer.channels)
        return cls(tokenizer, made, rate=rate)

    def forward(self, video: Video, drawn: Drawn) -> Reconstruction:
        """Reconstruct clips.

        Args:
            video: clips in [-1, 1].
            drawn: what is random in it.
        """
        tokenizer = self.tokenizer
        frames, height, width = video.shape[2:]
        grouping, model = tokenizer.grouping, tokenizer.model
        part = main_part(model.parts)
        encoded = model.encode_groups(grouping.group(video), None)
        posterior = None
        mean = latent = encoded.latents[part.name]
        if encoded.log_variances is not None:
            posterior = Posterior(mean=mean, log_variance=encoded.log_variances[part.name])
            if drawn.spread is not None:
                latent = posterior.at(drawn.spread)
        quantized = None if self.quantizer is None else self.quantizer(latent)
        if quantized is not None:
            latent = quantized.latent
        counts = self._counts(latent, drawn)
        bits_worth = self._bits_worth(latent, counts, drawn)
        if drawn.steps is not None:
            latent = latent + (self._rounded(latent, drawn.steps) - latent).detach()
        if drawn.noise is not None:
            latent = latent + drawn.noise
        latents, known = {**encoded.latents, part.name: latent}, {part.name: counts}
        if drawn.ahead:
            latents, known = with_steps_ahead(predictive_model(model), latents, known, dropped=drawn.ahead)
        groups = model.decode_groups(latents, None, known).groups
        back = grouping.ungroup(groups, frames=frames, height=height, width=width)
        ahead = drawn.ahead * tokenizer.stride.t
        again = None if drawn.turn is None else self._turned(video, latent, counts, drawn.turn)
        return Reconstruction(back, posterior, mean, quantized, ahead, bits_worth, again)

    def _turned(self, video: Video, latent: Latent, counts: Counts, turn: Turn) -> Pair:
        """A clip turned, and what its latent turned alike decodes to; the latent has one part.

        Both are cut to whole positions, in pairs: a last one would have no other to be halved with.
        """
        tokenizer, stride = self.tokenizer, self.tokenizer.stride
        rows, columns = video.shape[3] // stride.h // 2 * 2, video.shape[4] // stride.w // 2 * 2
        wanted = turned(video[:, :, :, : rows * stride.h, : columns * stride.w], turn)
        latent, counts = (each[:, :, :, :rows, :columns] for each in (latent, counts))
        name = main_part(tokenizer.model.parts).name
        known = {name: turned_counts(counts, turn)}
        groups = tokenizer.model.decode_groups({name: turned(latent, turn)}, None, known).groups
        frames, height, width = wanted.shape[2:]
        back = tokenizer.grouping.ungroup(groups, frames=frames, height=height, width=width)
        return Pair(wanted, back)

    @torch.no_grad()
    def _counts(self, latent: Latent, drawn: Drawn) -> Counts:
        """The channels of each position, those of clips with a budget by the energy of their latent."""
        if drawn.budgets is None:
            return drawn.counts
        model = self.tokenizer.model
        units = model.pixel_units()[main_part(model.parts).name]
        energies = (latent * column(units)).square()
        has_budget = rearrange(drawn.budgets.isfinite(), "b -> b 1 1 1 1")
        return torch.where(has_budget, allocate(energies, drawn.budgets), drawn.counts)

    def _bits_worth(self, latent: Latent, counts: Counts, drawn: Drawn) -> Float[Tensor, " b"] | None:
        """What the bits of each clip must take away; see `Reconstruction`."""
        if self.rate is None or drawn.steps is None or drawn.dither is None:
            return None
        rounded = drawn.steps > 0
        steps = self._steps(torch.where(rounded, drawn.steps, 1.0))
        noisy = latent + drawn.dither * rearrange(steps, "b c -> b c 1 1 1")
        # In float32 also where networks are not: bits are sums of many small numbers.
        with torch.autocast(latent.device.type, enabled=False):
            bits = self.rate(noisy.float(), steps, counts)
        prices = drawn.steps.square() * price_of_step(1.0)  # the price of a step grows with its square
        return torch.where(rounded, prices, 0.0) * bits

    @torch.no_grad()
    def _steps(self, scales: Float[Tensor, " b"]) -> Float[Tensor, "b c"]:
        """The quantiser's step of each channel, in units of the latent."""
        model = self.tokenizer.model
        units = model.coding_units()[main_part(model.parts).name]
        return rearrange(scales, "b -> b 1") * (BASE_STEP / units)

    @torch.no_grad()
    def _rounded(self, latent: Latent, scales: Float[Tensor, " b"]) -> Latent:
        """The latent as a file would give it back."""
        steps = rearrange(self._steps(scales), "b c -> b c 1 1 1")
        return torch.where(steps > 0, (latent / steps).round() * steps, latent)


def set_trainable(network: Network, *, encoder: bool, transform: bool) -> None:
    """Freeze what a stage does not train; a frozen encoder keeps transform and quantiser frozen too."""
    network.tokenizer.model.set_trainable(encoder=encoder, transform=transform)
    if isinstance(network.quantizer, nn.Module):
        network.quantizer.requires_grad_(encoder)
