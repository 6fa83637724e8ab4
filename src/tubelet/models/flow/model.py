"""A frozen tokenizer, and a flow that refines what its decoder gives.

```text
frames ─ frozen encoder ─ latent ─ frozen decoder ─ coefficients ─┬───────────────── + ─ KLT⁻¹ ─ frames
                                                     noise ─ flow ┴─ what they lack ─ ┘
```

A latent says less than a video, and a decoder that learnt from squared errors gives the mean of all videos
that it may stand for: a blurred one. The flow gives one of them. Which one is chance: noise that is a
function of a seed and of the place in the frame. Without a step of the flow it is the frozen tokenizer.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tubelet.errors import OptionError
from tubelet.given import as_whole
from tubelet.models.flow.noise import noise_at
from tubelet.models.flow.refiner import Refiner
from tubelet.models.klt.model import DecodedCoefficients, KLTModel
from tubelet.models.protocol import Decoded, Encoded, Footprint, Past, PixelsOf, Rows
from tubelet.nn.stepping import RunningPast
from tubelet.types import Known, Latents, Video

NOISE = "noise"
"""What the decoder takes beside the parts of a latent."""

MOST_STEPS = 64
"""Steps of the flow: more gain nothing, and each lets the halo of a tile grow."""

MOST_SEED = 2**63 - 1


@final
class FlowModel(nn.Module):
    """The parts, the latent and the encoder of a frozen model; a decoder with a flow behind it.

    Attributes:
        base: the frozen model, with networks and one level of a KLT.
        refiner: the flow.
        refine: steps of the flow; without any, the frames are those of `base`, bit for bit.
        seed: which of the videos that a latent may stand for is given.
    """

    def __init__(self, base: KLTModel, refiner: Refiner, *, refine: int = 0, seed: int = 0) -> None:
        super().__init__()
        if base.decoder is None or base.ahead:
            raise OptionError(
                "a flow refines a tokenizer whose decoder has a network and predicts no steps; this one has "
                f"{'none' if base.decoder is None else 'learnt to predict'}. Wrap another, such as tubelet-s."
            )
        self.base = base
        self.refiner = refiner
        self.refine = refine
        self.seed = seed
        self.parts = base.parts
        self.stride = base.stride
        self.variational = base.variational

    def refined(self, steps: int, *, seed: int = 0) -> "FlowModel":
        """The same weights with so many steps of the flow.

        Args:
            steps: 0 to `MOST_STEPS`.
            seed: 0 to 2⁶³ - 1.

        Raises:
            OptionError: one of them is out of range.
        """
        count, start = as_whole(steps), as_whole(seed)
        if count is None or not 0 <= count <= MOST_STEPS:
            raise OptionError(f"refine is {steps!r:.60}; it is a number of steps from 0 to {MOST_STEPS}.")
        if start is None or not 0 <= start <= MOST_SEED:
            raise OptionError(f"seed is {seed!r:.60}; it is a whole number from 0 to 2^63 - 1.")
        return FlowModel(self.base, self.refiner, refine=count, seed=start)

    def noise(self, rows: slice, columns: slice) -> Latents:
        """What `decode_groups` and `decode_step` take beside a latent, of any number of steps.

        Args:
            rows: of cells, counted from the top of the frame.
            columns: of cells, counted from its left.
        """
        if not self.refine:
            return {}
        channels = len(self.base.transform.deviation)
        drawn = noise_at(self.seed, channels=channels, rows=rows, columns=columns, dtype=self.dtype)
        return {NOISE: drawn.to(self.device)}

    @property
    def dtype(self) -> torch.dtype:
        """The number format of videos and latents."""
        return self.base.dtype

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.base.device

    @property
    def encoder_halo(self) -> int:
        """Cells to each side that a cell of the latent depends on."""
        return self.base.encoder_halo

    @property
    def decoder_halo(self) -> int:
        """Cells to each side that a cell of the video depends on; every step of the flow looks further."""
        return self.base.decoder_halo + self.refine * self.refiner.network.radius

    @property
    def warm_up(self) -> int:
        """Steps that decoding must start before the first step that is wanted; the flow needs none."""
        return self.base.warm_up

    def encode_groups(self, groups: Video, past: Past | None) -> Encoded:
        """Encode consecutive whole steps, as the frozen model does."""
        return self.base.encode_groups(groups, past)

    def decode_groups(self, latents: Latents, past: Past | None, known: Known) -> Decoded:
        """Decode consecutive whole steps and refine them; `latents` have the noise beside them."""
        if not self.refine:
            return self.base.decode_groups(latents, past, known)
        decoded, past = self.base.decode_coefficients(latents, past, known)
        noise = latents[NOISE].expand_as(decoded.coefficients)
        return Decoded(self.base.transform.inverse(self.refined_coefficients(decoded, noise)), past)

    def refined_coefficients(
        self, decoded: DecodedCoefficients, noise: Float[Tensor, "b c t h w"]
    ) -> Float[Tensor, "b c t h w"]:
        """Coefficients with what they lack, differentiably."""
        coefficients, rates = decoded.coefficients, decoded.features.rates
        start = torch.zeros((1, 1, 1, 1, 1), dtype=noise.dtype, device=noise.device)
        lacking = self.refiner.integrate(noise, coefficients, rates, time=start, steps=self.refine)
        return coefficients + self.refiner.size(coefficients, rates) * lacking

    def start_past(self, stored: Past | None) -> RunningPast:
        """What a stream remembers of one tile: what the frozen decoder does, for the flow has no memory."""
        return self.base.start_past(stored)

    def encode_step(
        self, pixels_of: PixelsOf, past: RunningPast, *, cells: tuple[int, int], strip: int
    ) -> Encoded:
        """Encode one step of one tile, as the frozen model does."""
        return self.base.encode_step(pixels_of, past, cells=cells, strip=strip)

    @torch.no_grad()
    def decode_step(self, latents: Latents, past: RunningPast, known: Known, *, strip: int) -> Iterator[Rows]:
        """Decode one step of one tile and refine it; `latents` have the noise of the tile beside them."""
        if not self.refine:
            yield from self.base.decode_step(latents, past, known, strip=strip)
            return
        decoded = list(self.base.coefficient_step(latents, past, known, strip=strip))
        strips = [each.rows for each in decoded]
        refined = self.refiner.refine_step(
            latents[NOISE],
            [each.coefficients for each in decoded],
            [each.features for each in decoded],
            steps=self.refine,
            strips=strips,
        )
        for rows, coefficients in zip(strips, refined, strict=True):
            yield Rows(rows, self.base.transform.inverse(coefficients))

    def encoder_footprint(self) -> Footprint:
        """What a stream takes for the encoder."""
        return self.base.encoder_footprint()

    def decoder_footprint(self) -> Footprint:
        """What a stream takes for the decoder: with a flow, its noise, and all coefficients of a tile."""
        plain = self.base.decoder_footprint()
        if not self.refine:
            return plain
        item, coefficients = self.dtype.itemsize, len(self.base.transform.deviation)
        network = self.refiner.network
        wide, inputs = network.width * item, network.enter.in_features * item
        return Footprint(
            remembered=plain.remembered + coefficients * item,
            # What was decoded, what the network is told of it, the latent, the state and the residual stream.
            whole=plain.whole + 4 * coefficients * item + wide,
            strip=max(plain.strip, 3 * inputs, 8 * wide),
            most=plain.most,
        )

    def flops_per_pixel(self) -> float:
        """Operations to encode and decode a pixel, with as many steps of the flow as there are."""
        pixels = self.stride.t * self.stride.h * self.stride.w
        own = 2 * self.refine * self.refiner.network.multiplications / pixels
        return self.base.flops_per_pixel() + own

    def pixel_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """By how much one of each channel changes pixels."""
        return self.base.pixel_units()

    def coding_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """What a file's quantiser takes for `pixel_units`."""
        return self.base.coding_units()

    def networks(self) -> Sequence[nn.Module]:
        """Those of the frozen model, and that of the flow."""
        return [*self.base.networks(), self.refiner.network]

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices of the flow's blocks; no others are trained."""
        return self.refiner.network.hidden_matrices()

    def shard_units(self) -> list[nn.Module]:
        """The blocks."""
        return [*self.base.shard_units(), *self.refiner.network.blocks]

    def set_trainable(self, *, encoder: bool, transform: bool) -> None:
        """Let the flow be trained; the model that it refines never is."""
        del encoder, transform
        self.base.requires_grad_(requires_grad=False)
        self.refiner.requires_grad_()

    def standardise(self, statistics: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Say what mean and deviation the channels have; from then on they have 0 and 1."""
        self.base.standardise(statistics)

    def narrowed(self, channels: int) -> "FlowModel":
        """The first channels as a model of their own.

        Raises:
            OptionError: always: the flow knows rates as fractions of all channels.
        """
        raise OptionError(
            f"a model with a flow cannot be narrowed to {channels} channels. Train a flow of the narrowed "
            "tokenizer, or decode the first channels of this one."
        )

    def fault(self) -> str | None:
        """What is wrong with numbers that were just read; none if nothing is."""
        least = float(self.refiner.deviation.min())
        return self.base.fault() or (
            None if least > 0 else f"a deviation of what is lacking is {least}; each is above zero"
        )
