"""The continuous tokenizer: clips of any length and size around a model of single steps."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from tubelet.checks import check_clip
from tubelet.errors import OptionError
from tubelet.models.protocol import BitPrice, PredictiveModel, PricedModel, StepModel
from tubelet.models.table import ModelConfig
from tubelet.nn.precision import halving_only
from tubelet.tokenizers import clip
from tubelet.tokenizers.checks import RangeWatch, checked_channels, checked_video
from tubelet.tokenizers.generative import refined_model
from tubelet.tokenizers.grouping import Grouping
from tubelet.tokenizers.parts import PartGrids, check_prefixes, joined
from tubelet.tokenizers.posterior import Posterior
from tubelet.tokenizers.save import known_config, save_tokenizer
from tubelet.tokenizers.streams.decoder import KnownLatents, StreamDecoder
from tubelet.tokenizers.streams.encoder import Given, Steps, StreamEncoder
from tubelet.tokenizers.streams.origin import Streamed
from tubelet.tokenizers.streams.state import DEFAULT_MEMORY, StreamState
from tubelet.types import Counts, Known, Latent, Latents, Part, Stride, Video


class ContinuousTokenizer(nn.Module):
    """Video to a latent of ordered channels with zero mean and unit variance, and back.

    `encode`, `decode` and the streams are for models of one part, as most are; those for `parts` are for all.

    Attributes:
        model: what encodes and decodes single steps.
        parts: of which a latent consists.
        stride: frames, rows and columns of pixels of a step of one cell; of one part, per latent position.
        lead_frame: whether the first frame is a group of its own (see `Grouping`).
        variational: whether the encoder gives a distribution (see `posterior`).
    """

    def __init__(
        self, model: StepModel, *, lead_frame: bool = True, config: ModelConfig | None = None
    ) -> None:
        super().__init__()
        if not isinstance(model, nn.Module):
            raise OptionError("the model is not a torch module; its weights could not be stored.")
        self.model = model
        self.parts: tuple[Part, ...] = model.parts
        self.stride: Stride = model.stride
        self.variational = model.variational
        self.lead_frame = lead_frame
        self._config = config
        self._watch = RangeWatch()

    @classmethod
    def of(cls, config: ModelConfig) -> "ContinuousTokenizer":
        """Build a tokenizer; its statistics are those of no data until it is fitted or loaded.

        Raises:
            OptionError: the numbers contradict one another.
        """
        return cls(config.build(), lead_frame=config.lead_frame, config=config)

    @property
    def grouping(self) -> Grouping:
        """Which frames belong to which latent step."""
        return Grouping(stride=self.stride, lead_frame=self.lead_frame)

    @property
    def grids(self) -> PartGrids:
        """Where the positions of each part lie in the steps and cells of a clip."""
        return PartGrids(self.model, self.grouping)

    @property
    def channels(self) -> int:
        """Channels of a full latent, or of its only part of ordered channels: the first k are a latent too.

        Raises:
            OptionError: the latent has several such parts.
        """
        return clip.main_part(self.parts).channels

    @property
    def warm_up(self) -> int:
        """Latent steps that decoding must start before the first step that is wanted."""
        return self.model.warm_up

    @property
    def ahead(self) -> int:
        """Latent steps after the last that it has learnt to predict; 0 if it has not."""
        return self.model.ahead if isinstance(self.model, PredictiveModel) else 0

    def refined(self, steps: int, *, seed: int = 0) -> "ContinuousTokenizer":
        """The same weights, with a decoder that gives one of the videos that a latent may stand for.

        Args:
            steps: of the flow; 0 for the plain decoder.
            seed: which of these videos, 0 to 2⁶³ - 1; the same one gives the same video, however it is cut.

        Raises:
            OptionError: the tokenizer has no flow and `steps` is not 0; or a number is out of range.
        """
        model = refined_model(self.model, steps, seed=seed)
        return ContinuousTokenizer(model, lead_frame=self.lead_frame, config=self._config)

    def priced(self, price: BitPrice) -> "ContinuousTokenizer":
        """The same weights; an encoder that can choose leaves out what is not worth its bits in a file."""
        model = self.model.priced(price) if isinstance(self.model, PricedModel) else self.model
        return ContinuousTokenizer(model, lead_frame=self.lead_frame, config=self._config)

    @property
    def dtype(self) -> torch.dtype:
        """The number format that the tokenizer computes in."""
        return self.model.dtype

    @property
    def device(self) -> torch.device:
        """Where the tokenizer computes, and where streams give their results."""
        return self.model.device

    def encode(self, video: Video, *, channels: int | None = None) -> Latent:
        """Encode a clip of any length and size, all steps at once, to a latent in the tokenizer's `dtype`.

        Memory grows with the clip; `stream_encoder` gives the same latent in bounded memory.

        Args:
            video: RGB in [-1, 1], floating-point of any precision.
            channels: how many to keep; all by default.

        Raises:
            ShapeError: `video` is not a clip of at least one frame and one pixel.
            OptionError: `video` is not a floating-point tensor, lies on another device, or its values are of
                another scale; or the tokenizer has not as many channels, or several parts.
            LatentError: `video` holds NaN or infinity.

        Warns:
            RangeWarning: the values seem to lie in [0, 1]; once for each tokenizer.
        """
        name, kept = clip.only_part(self.parts).name, self.check_channels(channels)
        return self.encode_parts(video, channels={name: kept})[name]

    def encode_parts(self, video: Video, *, channels: Mapping[str, int] | None = None) -> Latents:
        """Encode a clip to every part of its latent, as `encode`; `channels` are by the name of the part."""
        video = checked_video(self.model, self._watch, video)
        kept = check_prefixes(channels, self.parts)
        # An encoder that sees one cell at a time works in cache-sized tiles of single steps at no cost.
        alone = not self.model.encoder_footprint().whole
        if alone and not clip.needs_whole(self, video):
            stream = self.parts_encoder(channels=channels)
            return joined([stream.push(video), stream.finish()])
        steps = clip.encode_clip(self.model, self.grouping, video)
        return {name: steps.latents[name][:, :count] for name, count in kept.items()}

    def posterior(self, video: Video) -> Posterior:
        """Encode a clip to the distribution that its latent is drawn from; `encode` gives its mean.

        Memory grows with the clip; `stream_posterior` gives the same in bounded memory.

        Raises:
            OptionError: the tokenizer was built without a distribution; others as `encode`.
        """
        clip.check_variational(self.model)
        video = checked_video(self.model, self._watch, video)
        return clip.posterior_of(clip.encode_clip(self.model, self.grouping, video))

    def decode(
        self,
        latent: Latent,
        *,
        frames: int,
        height: int,
        width: int,
        counts: Counts | None = None,
        ahead: int = 0,
    ) -> Video:
        """Decode a latent of any number of leading channels to a clip, all steps at once.

        It is RGB around [-1, 1], not clamped; `stream_decoder` gives the same video in bounded memory.

        Args:
            latent: the first k channels of a latent, floating-point of any precision.
            frames: length of the clip that was encoded.
            height: its rows of pixels.
            width: its columns of pixels.
            counts: how many of the k channels each position has: all by default; one of none is predicted.
            ahead: how many latent steps after the last, of ``stride.t`` frames each, are predicted.

        Raises:
            ShapeError: the latent does not belong to a clip of this length and size, or `counts` not to it;
                or steps after a last one that is not full are wanted.
            OptionError: the latent is not floating-point, lies on another device, or has more channels than
                the tokenizer; or `counts` are none; or the tokenizer has several parts, or none `ahead`.
            LatentError: the latent holds NaN or infinity.
        """
        given, size = clip.take_latent(self.model, latent, counts), (height, width)
        return self._decode(given, frames=frames, size=size, ahead=ahead)

    def decode_parts(
        self,
        latents: Latents,
        *,
        frames: int,
        height: int,
        width: int,
        known: Known | None = None,
        ahead: int = 0,
    ) -> Video:
        """Decode every part of a latent to a clip, as `decode`; the mirror of `encode_parts`.

        Of each part the first channels are given; `known` says how many each position has, all by default.
        """
        given, size = clip.take_parts(self.model, latents, known), (height, width)
        return self._decode(given, frames=frames, size=size, ahead=ahead)

    def forward(self, video: Video) -> Video:
        """Encode and decode."""
        check_clip(video)
        frames, height, width = video.shape[2:]
        return self.decode_parts(self.encode_parts(video), frames=frames, height=height, width=width)

    def stream_encoder(
        self,
        *,
        channels: int | None = None,
        memory: int = DEFAULT_MEMORY,
        tile: tuple[int, int] | None = None,
        state: StreamState | None = None,
    ) -> StreamEncoder[Latent]:
        """Start, or take up, the encoding of a clip that comes in runs of frames.

        Args:
            channels: how many channels to keep; all by default.
            memory: bytes for what the network remembers, two latent steps per block of the whole frame, and
                for the work on a step; sets the tile and its strips. Frames that wait come on top.
            tile: rows and columns of cells to work on at a time, instead of what `memory` suggests.
            state: what `StreamEncoder.state` gave, to go on from there.

        Raises:
            OptionError: the tokenizer has not as many channels; or several parts; or the memory is too small.
        """
        name, kept = clip.only_part(self.parts).name, self.check_channels(channels)
        return self._encoder(partial(clip.part_of, name), {name: kept}, memory, tile, state)

    def parts_encoder(
        self,
        *,
        channels: Mapping[str, int] | None = None,
        memory: int = DEFAULT_MEMORY,
        tile: tuple[int, int] | None = None,
        state: StreamState | None = None,
    ) -> StreamEncoder[Latents]:
        """As `stream_encoder`, for every part of the latent."""
        return self._encoder(clip.latents_of, channels, memory, tile, state)

    def stream_posterior(
        self,
        *,
        memory: int = DEFAULT_MEMORY,
        tile: tuple[int, int] | None = None,
        state: StreamState | None = None,
    ) -> StreamEncoder[Posterior]:
        """As `stream_encoder`, for the distribution that the latent is drawn from; errors as `posterior`."""
        clip.check_variational(self.model)
        return self._encoder(clip.posterior_of, None, memory, tile, state)

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
    ) -> StreamDecoder[Latent]:
        """Start, or take up, the decoding of a clip whose latent comes in runs of steps.

        Args:
            height: rows of pixels of the clip.
            width: columns of pixels of the clip.
            frames: its length, so that the filling of its last group is cut off; none keeps whole groups.
            first_step: the first latent step that will be pushed. The frames of the first `warm_up` steps
                after a start in the middle are approximate; those after them are exact.
            memory: bytes as for `stream_encoder`; the frames that come out come on top.
            tile: rows and columns of cells to work on at a time, instead of what `memory` suggests.
            state: what `StreamDecoder.state` gave, to go on from there.

        Raises:
            OptionError: the memory fits not one tile, or the tokenizer has several parts.
            ShapeError: the size or length is not positive.
        """
        clip.only_part(self.parts)
        take, size = partial(clip.take_latent, self.model), (height, width)
        begin = partial(StreamDecoder, self._streamed(), take=take)
        return begin(size=size, frames=frames, first_step=first_step, memory=memory, tile=tile, state=state)

    def parts_decoder(
        self,
        *,
        height: int,
        width: int,
        frames: int | None = None,
        first_step: int = 0,
        memory: int = DEFAULT_MEMORY,
        tile: tuple[int, int] | None = None,
        state: StreamState | None = None,
    ) -> StreamDecoder[Latents]:
        """As `stream_decoder`, for every part of the latent; `first_step` counts the model's steps."""
        take, size = partial(clip.take_parts, self.model), (height, width)
        begin = partial(StreamDecoder, self._streamed(), take=take)
        return begin(size=size, frames=frames, first_step=first_step, memory=memory, tile=tile, state=state)

    def flops_per_pixel(self) -> float:
        """Operations to encode and decode a pixel: two per multiplication of a weight, all channels kept."""
        return self.model.flops_per_pixel()

    def networks_to(self, dtype: torch.dtype) -> "ContinuousTokenizer":
        """Let the networks compute in another number format, such as ``torch.bfloat16``; give the tokenizer.

        The transform and the skips keep theirs, so video and latent stay what they are, and half precision
        costs accuracy only in the correction. ``to(torch.bfloat16)`` and ``half()`` do the same; so
        ``to(torch.float64)`` is what converts everything.
        """
        for network in self.model.networks():
            network.to(dtype)
        return self

    def save(self, folder: Path | str, *, card: str | None = None, force: bool = False) -> Path:
        """Write the tokenizer as a checkpoint, which `tubelet.load` and every command take.

        Args:
            folder: where; its name becomes the tokenizer's.
            card: says in Markdown what it was made from and how good it is.
            force: whether a checkpoint that is there is replaced.

        Raises:
            OptionError: the tokenizer was not built by `of`, so nothing says how to build it again.
            OutputError: something is there already, or the disk is full or refuses it.
        """
        return save_tokenizer(self.config, self.weights(), folder, card=card, force=force)

    @property
    def config(self) -> ModelConfig:
        """The numbers that it was built from; raise `OptionError` if nobody said so."""
        return replace(known_config(self._config), lead_frame=self.lead_frame)

    def weights(self) -> dict[str, Tensor]:
        """What it has learned, by the names that a checkpoint gives; not copied."""
        return self.model.state_dict()

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take these for its own; the mirror of `weights`."""
        self.model.load_state_dict(weights, assign=True)

    def fault(self) -> str | None:
        """What is wrong with weights that were just read; none if nothing is."""
        return self.model.fault()

    def check_channels(self, channels: int | None) -> int:
        """How many channels are meant, all for none; raise `OptionError` unless it has as many."""
        return self.channels if channels is None else checked_channels(channels, self.channels)

    def _streamed(self) -> Streamed:
        return Streamed(self.model, self.grouping, self._config)

    def _encoder(
        self,
        give: Callable[[Steps], Given],
        channels: Mapping[str, int] | None,
        memory: int,
        tile: tuple[int, int] | None,
        state: StreamState | None,
    ) -> StreamEncoder[Given]:
        return StreamEncoder(
            self._streamed(),
            channels=check_prefixes(channels, self.parts),
            give=give,
            watch=self._watch,
            memory=memory,
            tile=tile,
            state=state,
        )

    def _decode(self, given: KnownLatents, *, frames: int, size: tuple[int, int], ahead: int) -> Video:
        """All steps of a clip at once; one cell and step at a time where that costs nothing."""
        height, width = size
        given, frames = clip.checked(self.model, self.grouping, given, (frames, *size), ahead=ahead)
        alone = not self.model.decoder_footprint().whole and not given.known
        if alone and not clip.needs_whole(self, *given.latents.values()):
            return self.parts_decoder(height=height, width=width, frames=frames).push(given.latents)
        return clip.decode_clip(self.model, self.grouping, given, frames=frames, height=height, width=width)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "ContinuousTokenizer":  # noqa: FBT001, FBT002  as torch has it
        """``half()``, ``to(torch.bfloat16)`` and the like do what `networks_to` does."""
        super()._apply(halving_only(self.model.networks(), fn), recurse)
        return self
