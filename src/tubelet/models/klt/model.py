"""A KLT that is right from the start, and two small networks that correct it.

```text
groups ─ KLT ─┬─ encoder ─ + ─ latent          latent ─┬─ decoder ─ + ─ KLT⁻¹ ─ groups
              └─ first K ─ ┘                           └─ zeros ─── ┘
```

The networks' last layers start at zero, so an untrained model equals the linear one bit for bit. A trained
encoder's channels drift from unit variance; `standardise` undoes that once and for all.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import log
from typing import NamedTuple, final

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.errors import OptionError
from tubelet.models.klt.footprint import flops_per_pixel, footprint
from tubelet.models.klt.gate import GATE_RADIUS, GatedStep, StillGate
from tubelet.models.klt.narrow import narrowed_decoder, narrowed_encoder, predictive_decoder
from tubelet.models.protocol import Decoded, Encoded, Footprint, Past, PixelsOf, Rows
from tubelet.nn.blocks import Rates, ResidualStack
from tubelet.nn.klt import KLTCascade, correction_scale
from tubelet.nn.prefix import PrefixFeatures, PrefixInput, column, masked
from tubelet.nn.stepping import RunningPast, cut, enter, step
from tubelet.types import Counts, Known, Latent, Latents, Part, Video

PART = "latent"
"""The name of the only part."""

FIRST_DEVIATION = 0.02
"""Standard deviation that an untrained posterior has, in those of the latent: too little to be seen."""


class DecodedCoefficients(NamedTuple):
    """What a decoder makes of a latent before it becomes frames.

    Attributes:
        rows: which rows of cells these are, counted from the top of the tile.
        features: the latent, written out.
        coefficients: all of them, of unit variance.
    """

    rows: slice
    features: PrefixFeatures
    coefficients: Latent


@final
class KLTModel(nn.Module):
    """One part of ordered channels on the stride of the transform.

    Attributes:
        transform: groups of frames to coefficients, and back.
        channels: channels of a full latent; the first k of them are a latent of k channels.
        encoder: corrects the first coefficients; none in a linear encoder.
        decoder: corrects all coefficients; none in a linear decoder.
        prefix: tells the decoder which channels there are.
        ahead: steps beyond the end of a latent that the decoder has learnt to predict; 0 if it has not.
        gate: blends them with the last frame; none if nothing is blended.
        latent_mean: of each channel before it was standardised.
        latent_deviation: likewise.
    """

    def __init__(
        self,
        transform: KLTCascade,
        *,
        channels: int,
        encoder: ResidualStack | None = None,
        decoder: ResidualStack | None = None,
        variational: bool = False,
        ahead: int = 0,
        gated: bool = False,
    ) -> None:
        super().__init__()
        self.transform = transform
        self.encoder = encoder
        self.decoder = decoder
        self.prefix = None if decoder is None else PrefixInput(channels, ahead=ahead)
        self.ahead = ahead
        self.gate = StillGate() if gated else None
        self.variational = variational
        if encoder is not None:
            self.register_buffer("latent_mean", torch.zeros(channels))
            self.register_buffer("latent_deviation", torch.ones(channels))
        self.latent_mean: Tensor
        self.latent_deviation: Tensor
        self.channels = channels
        self.stride = transform.stride
        self.parts = (Part(PART, channels, transform.stride),)

    @property
    def dtype(self) -> torch.dtype:
        """The number format of videos and latents."""
        return self.transform.deviation.dtype

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.transform.deviation.device

    @property
    def encoder_halo(self) -> int:
        """Cells to each side that a cell of the latent depends on."""
        return 0 if self.encoder is None else self.encoder.radius

    @property
    def decoder_halo(self) -> int:
        """Cells to each side that a cell of the video depends on."""
        gate = 0 if self.gate is None else GATE_RADIUS
        return 0 if self.decoder is None else self.decoder.radius + gate

    @property
    def warm_up(self) -> int:
        """Steps that decoding must start before the first step that is wanted."""
        return 0 if self.decoder is None else self.decoder.memory

    def encode_groups(self, groups: Video, past: Past | None) -> Encoded:
        """Encode consecutive whole steps of whole cells (see `StepModel`)."""
        coefficients = self.transform(groups)
        linear = coefficients[:, : self.channels]
        if self.encoder is None:
            return _encoded(linear, None, None)
        correction, past = self.encoder(coefficients, past)
        return _encoded(*self._corrected(linear, correction), past)

    def decode_groups(self, latents: Latents, past: Past | None, known: Known) -> Decoded:
        """Decode consecutive whole steps; the mirror of `encode_groups`."""
        latent, counts = latents[PART], known.get(PART)
        if self.decoder is None:
            return Decoded(self.transform.inverse(masked(self._unstandardised(latent), counts)), None)
        decoded, past = self.decode_coefficients(latents, past, known)
        return Decoded(self.transform.inverse(decoded.coefficients), past)

    def decode_coefficients(
        self, latents: Latents, past: Past | None, known: Known
    ) -> tuple["DecodedCoefficients", Past | None]:
        """As `decode_groups`, the coefficients of the frames; there must be a decoder."""
        assert self.decoder is not None, "a linear model has no decoder"
        counts, blocks = known.get(PART), len(self.decoder.blocks)
        features = self._features(latents[PART], counts)
        correction, after = self.decoder(features.inputs, past, features.rates)
        coefficients = self._corrected_all(features, correction)
        if self.gate is not None:
            before = None if past is None else past[blocks]
            to_come = None if counts is None else features.ahead
            coefficients, kept = self.gate.blend_steps(self.transform, coefficients, to_come, before)
            after = (*after, kept)
        return DecodedCoefficients(slice(0, latents[PART].shape[3]), features, coefficients), after

    def still(self, latents: Latents, known: Known) -> Latents:
        """The latent of a step that shows the last frame of another one all along: a guess at the next."""
        linear = masked(self._unstandardised(latents[PART]), known.get(PART))
        last = self.transform.inverse(linear)[:, :, -1:].expand(-1, -1, self.stride.t, -1, -1)
        return {PART: self._standardised(self.transform(last)[:, : linear.shape[1]])}

    def predictive(self, ahead: int) -> "KLTModel":
        """The same as a model that learns to predict steps; as yet it shows the last frame on.

        Raises:
            OptionError: it has no decoder that could learn to, or predicts another number of steps.
        """
        if self.decoder is None or (self.ahead and self.ahead != ahead):
            what = "has no decoder network" if self.decoder is None else f"predicts {self.ahead} steps"
            raise OptionError(f"the model {what} and is to predict {ahead}. Start from another.")
        if self.ahead == ahead:
            return self
        longer = KLTModel(
            KLTCascade(self.transform.patches, self.transform.coefficients),
            channels=self.channels,
            encoder=self.encoder and self.encoder.resized(),
            decoder=self.decoder.resized(outputs=2 * len(self.transform.deviation), others=1),
            variational=self.variational,
            ahead=ahead,
        )
        weights = self.state_dict()
        longer.load_state_dict(weights | predictive_decoder(weights, ahead=ahead, channels=self.channels))
        return longer

    def start_past(self, stored: Past | None) -> RunningPast:
        """What a stream remembers of one tile: nothing yet, or what it stored."""
        return RunningPast(stored or ())

    @torch.no_grad()
    def encode_step(
        self, pixels_of: PixelsOf, past: RunningPast, *, cells: tuple[int, int], strip: int
    ) -> Encoded:
        """Encode one step of one tile; only what the encoder needs is ever as large as the tile."""
        if self.encoder is None:
            return self.encode_groups(pixels_of(slice(0, cells[0])), None)
        strips, linear = cut(*cells, strip), list[Latent]()

        def coefficients_of(rows: slice) -> Latent:
            coefficients = self.transform(pixels_of(rows))
            # A copy, so that the coefficients that are not part of the latent can go.
            linear.append(coefficients[:, : self.channels].clone())
            return coefficients

        hidden = enter(self.encoder, coefficients_of, strips, cells=cells)
        step(self.encoder, hidden, past, None, strips)
        pieces = [
            self._corrected(each, self.encoder.project_out(hidden[:, :, rows]))
            for each, rows in zip(linear, strips, strict=True)
        ]
        means, log_variances = zip(*pieces, strict=True)
        return _encoded(torch.cat(means, dim=3), _cat_rows(log_variances), None)

    @torch.no_grad()
    def decode_step(self, latents: Latents, past: RunningPast, known: Known, *, strip: int) -> Iterator[Rows]:
        """Decode one step of one tile; the mirror of `encode_step`."""
        if self.decoder is None:
            groups = self.decode_groups(latents, None, known).groups
            yield Rows(slice(0, groups.shape[3] // self.stride.h), groups)
            return
        for rows, _, coefficients in self.coefficient_step(latents, past, known, strip=strip):
            yield Rows(rows, self.transform.inverse(coefficients))

    @torch.no_grad()
    def coefficient_step(
        self, latents: Latents, past: RunningPast, known: Known, *, strip: int
    ) -> Iterator["DecodedCoefficients"]:
        """As `decode_step`, the coefficients of the frames; there must be a decoder."""
        assert self.decoder is not None, "a linear model has no decoder"
        latent, counts = latents[PART], known.get(PART)
        cells = (latent.shape[3], latent.shape[4])
        strips, rates = cut(*cells, strip), list[Rates]()

        def features_of(rows: slice) -> PrefixFeatures:
            some = counts if counts is None or counts.shape[3] == 1 else counts[:, :, :, rows]
            return self._features(latent[:, :, :, rows], some)

        def inputs_of(rows: slice) -> Latent:
            features = features_of(rows)
            rates.append(features.rates)
            return features.inputs

        hidden = enter(self.decoder, inputs_of, strips, cells=cells)
        same = counts is None or counts.shape[3] == 1
        step(self.decoder, hidden, past, rates[0] if same else torch.cat(rates, dim=2), strips)
        gated = self._gated_step(past, cells[0], counts)
        for rows in strips:
            features = features_of(rows)
            coefficients = self._corrected_all(features, self.decoder.project_out(hidden[:, :, rows]))
            shown = coefficients if gated is None else gated.shown(rows, coefficients)
            yield DecodedCoefficients(rows, features, shown)

    def encoder_footprint(self) -> Footprint:
        """What a stream takes for the encoder."""
        return footprint(self.transform, self.encoder, channels=self.channels)

    def decoder_footprint(self) -> Footprint:
        """What a stream takes for the decoder."""
        return footprint(self.transform, self.decoder, channels=self.channels, gated=self.gate is not None)

    def flops_per_pixel(self) -> float:
        """Operations to encode and decode a pixel: two per multiplication of a weight, all channels kept."""
        return flops_per_pixel(self.transform, self.networks())

    def pixel_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """By how much one of each channel changes pixels."""
        units = self.transform.deviation[: self.channels]
        return {PART: units if self.encoder is None else units * self.latent_deviation}

    def coding_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """Those of the linear latent, whose statistics no training moves."""
        return {PART: self.transform.deviation[: self.channels]}

    def networks(self) -> Sequence[ResidualStack]:
        """The encoder and the decoder, where they are networks; the transform and the skips stay exact."""
        return [stack for stack in (self.encoder, self.decoder) if stack is not None]

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices of the blocks."""
        return [matrix for stack in self.networks() for matrix in stack.hidden_matrices()]

    def shard_units(self) -> list[nn.Module]:
        """The blocks."""
        return [block for stack in self.networks() for block in stack.blocks]

    def set_trainable(self, *, encoder: bool, transform: bool) -> None:
        """Let weights be trained; with the encoder frozen, the transform is frozen too."""
        self.requires_grad_()
        self.transform.requires_grad_(transform and encoder)
        if self.encoder is not None:
            self.encoder.requires_grad_(encoder)

    def standardise(self, statistics: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Say what mean and standard deviation the latent turned out to have, in units of today's latent.

        From now on it has zero mean and unit variance, and decodes to the same video as before. A linear
        encoder's transform is standardised already.
        """
        if self.encoder is not None:
            mean, deviation = statistics[PART]
            self.latent_mean.add_(self.latent_deviation * mean)
            self.latent_deviation.mul_(deviation)

    def narrowed(self, channels: int) -> "KLTModel":
        """The first channels as a model of their own, which decodes them as this one does.

        Raises:
            OptionError: it has fewer channels.
        """
        if channels > self.channels:
            raise OptionError(
                f"the model to take over has {self.channels} channels and the new one {channels}; channels "
                "can only be left out. Give as many or fewer."
            )
        narrow = KLTModel(
            KLTCascade(self.transform.patches, self.transform.coefficients),
            channels=channels,
            encoder=self.encoder and self.encoder.resized(outputs=(2 if self.variational else 1) * channels),
            decoder=self.decoder and self.decoder.resized(inputs=channels + 1),
            variational=self.variational,
            ahead=self.ahead,
            gated=self.gate is not None,
        )
        weights = self.state_dict()
        changed: dict[str, Tensor] = {}
        narrow.transform.load_state_dict(self.transform.state_dict())
        if self.encoder is not None:
            units = self.encoder_units()[:channels] / narrow.encoder_units()
            changed |= narrowed_encoder(weights, units, channels=self.channels)
        if self.decoder is not None:
            changed |= narrowed_decoder(weights, kept=channels, channels=self.channels)
        narrow.load_state_dict(weights | changed)
        return narrow

    def fault(self) -> str | None:
        """What is wrong with numbers that were just read; none if nothing is."""
        least = float(self.transform.deviation.min())
        return None if least > 0 else f"a standard deviation is {least}; each is above zero"

    def _corrected(
        self, linear: Latent, correction: Float[Tensor, "b d t h w"]
    ) -> tuple[Latent, Latent | None]:
        """The latent that the linear one becomes by the encoder's correction, and its log-variance."""
        raw = linear + column(self.encoder_units()) * correction[:, : self.channels]
        mean = self._standardised(raw)
        if not self.variational:
            return mean, None
        spread = correction[:, self.channels :] + 2 * log(FIRST_DEVIATION)
        return mean, spread - 2 * column(self.latent_deviation).log()

    def _features(self, latent: Latent, counts: Counts | None) -> PrefixFeatures:
        """A latent written out for the decoder; there must be one."""
        assert self.prefix is not None, "a linear model has no decoder"
        return self.prefix(self._unstandardised(latent), counts)

    def _corrected_all(self, features: PrefixFeatures, correction: Float[Tensor, "b d t h w"]) -> Latent:
        """All coefficients of a latent, its channels written out, with the decoder's correction."""
        coefficients = len(self.transform.deviation)
        skip = F.pad(features.skip, (0, 0, 0, 0, 0, 0, 0, coefficients - self.channels))
        scale = correction_scale(self.transform.deviation, features.counts)
        corrected = skip + scale * correction[:, :coefficients]
        if features.ahead is not None:
            # What moves in a step to come changes coefficients by their own size.
            corrected = corrected + features.ahead * correction[:, coefficients:]
        return corrected

    def _gated_step(self, past: RunningPast, rows: int, counts: Counts | None) -> GatedStep | None:
        """The gate at work on a step of so many rows; none in a model without one."""
        if self.gate is None or self.decoder is None:
            return None
        kept, to_come = past.beside(len(self.decoder.blocks)), counts is not None and bool((counts < 0).any())
        return GatedStep(self.gate, self.transform, kept, rows=rows, to_come=to_come)

    def encoder_units(self) -> Float[Tensor, " c"]:
        """What one of the encoder's output is worth in each channel of the linear latent (decision 0015)."""
        units = correction_scale(self.transform.deviation, torch.tensor(self.channels, device=self.device))
        return rearrange(units, "c 1 1 1 -> c")[: self.channels]

    def _unstandardised(self, latent: Latent) -> Latent:
        """The first channels of a latent in the units of the transform."""
        if self.encoder is None:
            return latent
        kept = latent.shape[1]
        return latent * column(self.latent_deviation[:kept]) + column(self.latent_mean[:kept])

    def _standardised(self, linear: Latent) -> Latent:
        """Undo `_unstandardised`."""
        if self.encoder is None:
            return linear
        kept = linear.shape[1]
        return (linear - column(self.latent_mean[:kept])) / column(self.latent_deviation[:kept])


def _encoded(latent: Latent, log_variance: Latent | None, past: Past | None) -> Encoded:
    return Encoded({PART: latent}, None if log_variance is None else {PART: log_variance}, past)


def _cat_rows(pieces: Sequence[Latent | None]) -> Latent | None:
    known = [piece for piece in pieces if piece is not None]
    return torch.cat(known, dim=3) if known else None
