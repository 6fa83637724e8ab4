"""The continuous tokenizer: a KLT that is right from the start, and two small networks that correct it.

```text
video ─ group ─ KLT ─┬─ encoder ─ + ─ latent          latent ─┬─ decoder ─ + ─ KLT⁻¹ ─ ungroup ─ video
                     └─ first K ─ ┘                           └─ zeros ─── ┘
```

The networks' last layers start at zero, so an untrained tokenizer equals the linear one bit for bit. A
trained encoder's channels drift from unit variance; `standardise` undoes that once and for all.
"""

from collections.abc import Callable
from math import log

import torch
from einops import rearrange
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.checks import check_clip, check_device
from tubelet.errors import OptionError
from tubelet.nn.blocks import Past, ResidualStack
from tubelet.nn.klt import KLTCascade, correction_scale
from tubelet.nn.precision import halving_only
from tubelet.nn.prefix import Counts, PrefixInput, Told
from tubelet.tokenizers.checks import (
    check_counts,
    check_finite_latent,
    checked_channels,
    checked_latent,
    checked_video,
)
from tubelet.tokenizers.footprint import flops_per_pixel
from tubelet.tokenizers.grouping import Grouping
from tubelet.tokenizers.posterior import Posterior
from tubelet.tokenizers.steps import Decoded, Encoded
from tubelet.tokenizers.stream_decoder import StreamDecoder
from tubelet.tokenizers.stream_encoder import StreamEncoder
from tubelet.tokenizers.stream_state import StreamState
from tubelet.types import Latent, Video

DEFAULT_MEMORY = 1 << 30
"""Bytes that a stream may take, for what its network remembers and for the work on a step."""

FIRST_DEVIATION = 0.02
"""Standard deviation that an untrained posterior has, in those of the latent: too little to be seen."""


class ContinuousTokenizer(nn.Module):
    """Video to a latent of ordered channels with zero mean and unit variance, and back.

    Attributes:
        stride: frames, rows and columns of pixels per latent position.
        channels: channels of a full latent; the first k of them are a latent of k channels.
        lead_frame: whether the first frame is a group of its own (see `Grouping`).
        variational: whether the encoder gives a distribution (see `posterior`).
        warned_of_range: whether it was said that a clip seems to lie in [0, 1]; it is said once.
    """

    def __init__(
        self,
        transform: KLTCascade,
        *,
        channels: int,
        lead_frame: bool = True,
        encoder: ResidualStack | None = None,
        decoder: ResidualStack | None = None,
        variational: bool = False,
    ) -> None:
        super().__init__()
        self.transform = transform
        self.encoder = encoder
        self.decoder = decoder
        self.prefix = None if decoder is None else PrefixInput(channels)
        self.variational = variational
        if encoder is not None:
            self.register_buffer("latent_mean", torch.zeros(channels))
            self.register_buffer("latent_deviation", torch.ones(channels))
        self.latent_mean: Tensor
        self.latent_deviation: Tensor
        self.channels = channels
        self.lead_frame = lead_frame
        self.stride = transform.stride
        self.warned_of_range = False

    @property
    def grouping(self) -> Grouping:
        """Which frames belong to which latent step."""
        return Grouping(stride=self.stride, lead_frame=self.lead_frame)

    @property
    def warm_up(self) -> int:
        """Latent steps that decoding must start before the first step that is wanted."""
        return 0 if self.decoder is None else self.decoder.memory

    @property
    def dtype(self) -> torch.dtype:
        """The number format that the tokenizer computes in."""
        return self.transform.deviation.dtype

    @property
    def device(self) -> torch.device:
        """Where the tokenizer computes, and where streams give their results."""
        return self.transform.deviation.device

    def encode(self, video: Video, *, channels: int | None = None) -> Latent:
        """Encode a clip of any length and size, all steps at once.

        Memory grows with the clip; `stream_encoder` gives the same latent in bounded memory.

        Args:
            video: RGB in [-1, 1], floating-point of any precision.
            channels: how many channels to keep; all by default.

        Returns:
            A latent in the tokenizer's own `dtype`, whatever the video's.

        Raises:
            ShapeError: `video` is no clip of at least one frame and one pixel.
            OptionError: `video` is no floating-point tensor, lies on another device, or its values are of
                another scale; or the tokenizer has not as many channels.
            LatentError: `video` holds NaN or infinity.

        Warns:
            RangeWarning: the values seem to lie in [0, 1]; once for each tokenizer.
        """
        video = checked_video(self, video)
        kept = self.check_channels(channels)
        # A linear encoder sees one position at a time, so cache-sized tiles of single steps cost nothing.
        if self.encoder is None and not self._differentiates(video) and not torch.compiler.is_compiling():
            stream = self.stream_encoder(channels=kept)
            return torch.cat([stream.push(video), stream.finish()], dim=2)
        return self.encode_groups(self.grouping.group(video), None).latent[:, :kept]

    def posterior(self, video: Video) -> Posterior:
        """Encode a clip to the distribution that its latent is drawn from; `encode` gives its mean.

        Raises:
            ShapeError: `video` is no clip of at least one frame and one pixel.
            OptionError: the tokenizer was built without a distribution, or as for `encode`.
            LatentError: `video` holds NaN or infinity.
        """
        encoded = self.encode_groups(self.grouping.group(checked_video(self, video)), None)
        if encoded.log_variance is None:
            raise OptionError(
                "this tokenizer knows no distribution, only a latent; one that does is built with "
                "variational=True. Use encode."
            )
        return Posterior(mean=encoded.latent, log_variance=encoded.log_variance)

    def decode(
        self, latent: Latent, *, frames: int, height: int, width: int, counts: Counts | None = None
    ) -> Video:
        """Decode a latent of any number of leading channels to a clip, all steps at once.

        Memory grows with the clip; `stream_decoder` gives the same video in bounded memory.

        Args:
            latent: the first k channels of a latent, floating-point of any precision.
            frames: length of the clip that was encoded.
            height: its rows of pixels.
            width: its columns of pixels.
            counts: how many of the k channels each position has; what lies beyond is not looked at. All k
                by default; none at all is allowed: such a position is predicted from those around it.

        Returns:
            RGB around [-1, 1], not clamped, in the tokenizer's own `dtype`.

        Raises:
            ShapeError: the latent does not belong to a clip of this length and size, or `counts` not to it.
            OptionError: the latent is no floating-point tensor, lies on another device, or has more channels
                than the tokenizer; or `counts` are none.
            LatentError: the latent holds NaN or infinity.
        """
        latent = checked_latent(self, latent)
        check_device(latent, self.device, "latent", owner="tokenizer")
        if counts is not None:
            check_counts(counts, latent)
        steps, *cells = latent.shape[2:]
        size = {"frames": frames, "height": height, "width": width}
        self.grouping.check(steps=steps, cells=(cells[0], cells[1]), **size)
        plain = self.decoder is None and counts is None and not torch.compiler.is_compiling()
        if plain and not self._differentiates(latent):
            return self.stream_decoder(height=height, width=width, frames=frames).push(latent)
        groups = self.decode_steps(latent, None, counts=counts).groups
        return self.grouping.ungroup(groups, **size)

    def forward(self, video: Video) -> Video:
        """Encode and decode."""
        check_clip(video)
        frames, height, width = video.shape[2:]
        return self.decode(self.encode(video), frames=frames, height=height, width=width)

    def encode_groups(self, groups: Video, past: tuple[Past, ...] | None) -> Encoded:
        """Encode consecutive whole groups of frames, of whole patches.

        Args:
            groups: frames in multiples of the stride.
            past: what `encode_groups` gave for the groups before; none at the start of a clip.
        """
        coefficients = self.transform(groups)
        latent = coefficients[:, : self.channels]
        if self.encoder is None:
            return Encoded(latent, None, None)
        correction, past = self.encoder(coefficients, past)
        mean = self.latent_of(latent, correction)
        if not self.variational:
            return Encoded(mean, None, past)
        spread = correction[:, self.channels :] + 2 * log(FIRST_DEVIATION)
        return Encoded(mean, spread - 2 * _column(self.latent_deviation).log(), past)

    def latent_of(self, linear: Latent, correction: Float[Tensor, "b d t h w"]) -> Latent:
        """The latent that the linear one becomes by the encoder's correction."""
        raw = linear + _column(self.encoder_units()) * correction[:, : self.channels]
        return (raw - _column(self.latent_mean)) / _column(self.latent_deviation)

    def decode_steps(
        self, latent: Latent, past: tuple[Past, ...] | None, *, counts: Counts | None = None
    ) -> Decoded:
        """Decode consecutive latent steps to whole groups of frames; the mirror of `encode_groups`.

        Args:
            latent: the first k channels of the steps.
            past: what `decode_steps` gave for the steps before; none at the start of a clip.
            counts: how many of the k channels each position has; all by default.
        """
        if self.decoder is None:
            latent = self._unstandardised(latent)
            if counts is not None:
                known = _column(torch.arange(latent.shape[1], device=latent.device))
                latent = torch.where(known < counts, latent, 0)
            return Decoded(self.transform.inverse(latent), None)
        told = self.written_out(latent, counts)
        correction, past = self.decoder(told.inputs, past, told.rates)
        return Decoded(self.groups_of(told.skip, told.counts, correction), past)

    def written_out(self, latent: Latent, counts: Counts | None) -> Told:
        """What the decoder is told of a latent; there must be one."""
        assert self.prefix is not None, "a linear tokenizer has no decoder"
        return self.prefix(self._unstandardised(latent), counts)

    def groups_of(
        self, skip: Latent, counts: Int[Tensor, "_ 1 _ _ _"], correction: Float[Tensor, "b d t h w"]
    ) -> Video:
        """The frames of a latent, all of its channels written out, with the decoder's correction."""
        missing = correction.shape[1] - self.channels
        skip = F.pad(skip, (0, 0, 0, 0, 0, 0, 0, missing))
        return self.transform.inverse(skip + self._evenly(counts) * correction)

    def standardise(self, mean: Float[Tensor, " c"], deviation: Float[Tensor, " c"]) -> None:
        """Say what mean and standard deviation the latent turned out to have, in units of today's latent.

        From now on it has zero mean and unit variance, and decodes to the same video as before.

        Raises:
            OptionError: the tokenizer is linear; its transform is standardised already.
        """
        if self.encoder is None:
            raise OptionError("a linear tokenizer's transform is standardised already. Leave it as it is.")
        self.latent_mean.add_(self.latent_deviation * mean)
        self.latent_deviation.mul_(deviation)

    def stream_encoder(
        self,
        *,
        channels: int | None = None,
        memory: int = DEFAULT_MEMORY,
        tile: tuple[int, int] | None = None,
        state: StreamState | None = None,
    ) -> StreamEncoder:
        """Start, or take up, the encoding of a clip that comes in runs of frames.

        Args:
            channels: how many channels to keep; all by default.
            memory: bytes for what the network remembers from step to step, two latent steps per block of the
                whole frame, and for the work on a step; sets the tile and how many rows of it are worked on
                at a time. Frames that wait for their group come on top.
            tile: latent rows and columns to work on at a time, instead of what `memory` suggests.
            state: what `StreamEncoder.state` gave, to go on from there.

        Raises:
            OptionError: the tokenizer has not as many channels, or the memory fits not one tile.
        """
        return StreamEncoder(
            self, channels=self.check_channels(channels), memory=memory, tile=tile, state=state
        )

    def stream_decoder(
        self,
        *,
        height: int,
        width: int,
        frames: int | None = None,
        first_step: int = 0,
        memory: int = DEFAULT_MEMORY,
        tile: tuple[int, int] | None = None,
        state: StreamState | None = None,
    ) -> StreamDecoder:
        """Start, or take up, the decoding of a clip whose latent comes in runs of steps.

        Args:
            height: rows of pixels of the clip.
            width: columns of pixels of the clip.
            frames: its length, so that the filling of its last group is cut off; none keeps whole groups.
            first_step: the first latent step that will be pushed. The frames of the first `warm_up` steps
                after a start in the middle are approximate; those after them are exact.
            memory: bytes as for `stream_encoder`; the frames that come out come on top.
            tile: latent rows and columns to work on at a time, instead of what `memory` suggests.
            state: what `StreamDecoder.state` gave, to go on from there.

        Raises:
            OptionError: the memory fits not one tile.
            ShapeError: the size or length is not positive.
        """
        return StreamDecoder(
            self,
            size=(height, width),
            frames=frames,
            first_step=first_step,
            memory=memory,
            tile=tile,
            state=state,
        )

    def flops_per_pixel(self) -> float:
        """Operations to encode and decode a pixel: two per multiplication of a weight, all channels kept."""
        return flops_per_pixel(self)

    def encoder_units(self) -> Float[Tensor, " c"]:
        """What one of the encoder's output is worth in each channel of the linear latent (decision 0015)."""
        units = self._evenly(torch.tensor(self.channels, device=self.device))
        return rearrange(units, "c 1 1 1 -> c")[: self.channels]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "ContinuousTokenizer":  # noqa: FBT001, FBT002  as torch has it
        """``half()``, ``to(torch.bfloat16)`` and the like do what `networks_to` does."""
        super()._apply(halving_only((self.encoder, self.decoder), fn), recurse)
        return self

    def networks_to(self, dtype: torch.dtype) -> "ContinuousTokenizer":
        """Let the networks compute in another number format, such as ``torch.bfloat16``; give the tokenizer.

        The transform and the skips keep theirs, so video and latent stay what they are, and half precision
        costs accuracy only in the correction. ``to(torch.bfloat16)`` and ``half()`` do the same; so
        ``to(torch.float64)`` is what converts everything.
        """
        for stack in (self.encoder, self.decoder):
            if stack is not None:
                stack.to(dtype)
        return self

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices between hidden features, which an optimiser for matrices such as Muon may move."""
        stacks = [stack for stack in (self.encoder, self.decoder) if stack is not None]
        return [matrix for stack in stacks for matrix in stack.hidden_matrices()]

    def shard_units(self) -> list[nn.Module]:
        """The parts whose weights are gathered together while they compute, if weights are split (FSDP)."""
        return [
            block for stack in (self.encoder, self.decoder) if stack is not None for block in stack.blocks
        ]

    def check_channels(self, channels: int | None) -> int:
        """How many channels are meant: all for none.

        Raises:
            OptionError: not between one and all.
        """
        return self.channels if channels is None else checked_channels(channels, self.channels)

    def check_latent(self, latent: Tensor) -> None:
        """Raise `OptionError` if a latent has too many channels, `LatentError` if it holds no numbers."""
        self.check_channels(latent.shape[1])
        check_finite_latent(latent)

    def _evenly(self, counts: Int[Tensor, "..."]) -> Float[Tensor, "..."]:
        """By how much to scale a network's corrections with so many channels known."""
        return correction_scale(self.transform.deviation, counts)

    def _unstandardised(self, latent: Latent) -> Latent:
        """The first channels of a latent in the units of the transform."""
        if self.encoder is None:
            return latent
        known = latent.shape[1]
        return latent * _column(self.latent_deviation[:known]) + _column(self.latent_mean[:known])

    def _differentiates(self, x: Tensor) -> bool:
        """Whether somebody may ask for gradients of what is made from `x`."""
        return torch.is_grad_enabled() and (
            x.requires_grad or any(p.requires_grad for p in self.parameters())
        )


def _column(values: Shaped[Tensor, " c"]) -> Shaped[Tensor, "c 1 1 1"]:
    """One value per channel, ready to meet a latent."""
    return rearrange(values, "c -> c 1 1 1")
