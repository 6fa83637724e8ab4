"""The discrete tokenizer: a continuous one whose latent is rounded to the entries of a codebook."""

from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tubelet.checks import check_clip, check_whole
from tubelet.errors import OptionError
from tubelet.nn.precision import halving_only
from tubelet.quantizers.digits import ROUND, Bases, Digits, Tokens, codebook_sizes, tokens_to_digits
from tubelet.quantizers.protocol import Quantizer
from tubelet.tokenizers.config import DiscreteConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.grouping import Grouping
from tubelet.tokenizers.save import known_config, save_tokenizer
from tubelet.tokenizers.streams.decoder import StreamDecoder
from tubelet.tokenizers.streams.encoder import StreamEncoder
from tubelet.tokenizers.streams.state import DEFAULT_MEMORY, StreamState
from tubelet.tokenizers.token_grid import TokenGrid, check_grid, one_codebook_size
from tubelet.types import Frames, Latent, Stride, Video


class DiscreteTokenizer(nn.Module):
    """Video to a grid of tokens, and back.

    Every position is quantised by itself and in float32, so streams and tiles give the tokens that their
    latents have: cuts change none on a CPU; tiles round the latent differently in its last bits, so a value
    that lies on the edge of two digits may fall to the other side (docs/guides/tokens.md has the share).

    Attributes:
        backbone: the continuous tokenizer around the quantiser.
        quantizer: latent to digits and back.
        stride: frames, rows and columns of pixels per position.
        lead_frame: whether the first frame is a step of its own.
    """

    def __init__(
        self, backbone: ContinuousTokenizer, quantizer: Quantizer, *, config: DiscreteConfig | None = None
    ) -> None:
        super().__init__()
        if backbone.channels != quantizer.channels:
            raise OptionError(
                f"the backbone has {backbone.channels} channels and the quantiser takes "
                f"{quantizer.channels}; they must be as many."
            )
        if not isinstance(quantizer, nn.Module):
            raise OptionError("the quantiser is not a torch module; its weights could not be stored.")
        self.backbone = backbone
        self.quantizer = quantizer
        self.stride: Stride = backbone.stride
        self.lead_frame = backbone.lead_frame
        self._config = config

    @classmethod
    def of(cls, config: DiscreteConfig) -> "DiscreteTokenizer":
        """Build a tokenizer; its statistics are those of no data until it is fitted or loaded.

        Raises:
            OptionError: the numbers contradict one another.
        """
        backbone = ContinuousTokenizer.of(config.backbone)
        return cls(backbone, config.quantizer.build(backbone.channels), config=config)

    @property
    def bases(self) -> Bases:
        """For each token of a position, how many values each of its digits has."""
        return self.quantizer.bases

    @property
    def codebook_size(self) -> int:
        """How many values a token has.

        Raises:
            OptionError: tokens of a position have different numbers of values; `codebook_sizes` has each.
        """
        return one_codebook_size(self.bases)

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """How many values each token of a position has."""
        return codebook_sizes(self.bases)

    @property
    def grouping(self) -> Grouping:
        """Which frames belong to which latent step."""
        return self.backbone.grouping

    @property
    def warm_up(self) -> int:
        """Latent steps that decoding must start before the first step that is wanted."""
        return self.backbone.warm_up

    @property
    def dtype(self) -> torch.dtype:
        """The number format that the backbone computes in."""
        return self.backbone.dtype

    @property
    def device(self) -> torch.device:
        """Where the tokenizer computes."""
        return self.backbone.device

    def tokenize(self, video: Video) -> TokenGrid:
        """Turn clips of any length and size into tokens, all steps at once.

        Memory grows with the clip; `stream_encoder` gives the same tokens in bounded memory.

        Args:
            video: RGB in [-1, 1], floating-point of any precision.

        Raises:
            ShapeError: `video` is not a clip of at least one frame and one pixel.
            OptionError: it is not a floating-point tensor, lies on another device, or its values are of
                another scale.
            LatentError: it holds NaN or infinity.

        Warns:
            RangeWarning: the values seem to lie in [0, 1]; once for each tokenizer.
        """
        check_clip(video)
        frames, height, width = video.shape[2:]
        digits = self.quantizer.quantize(self.backbone.encode(video))
        return self._grid(digits, frames=frames, height=height, width=width)

    def detokenize(self, grid: TokenGrid) -> Video:
        """Turn tokens back into clips; the mirror of `tokenize`.

        Args:
            grid: what `tokenize` gave, or what `grid` makes of tokens; it may lie on another device.

        Returns:
            RGB around [-1, 1], not clamped.

        Raises:
            OptionError: this is not a `TokenGrid`, or one of another kind of tokenizer.
            TokenError: a token is outside its codebook.
        """
        check_grid(grid)
        return self.backbone.decode(
            self.embed(grid), frames=grid.frames, height=grid.height, width=grid.width
        )

    def embed(self, grid: TokenGrid) -> Latent:
        """What tokens stand for: the latent that the backbone decodes.

        Raises:
            OptionError: this is not a `TokenGrid`, or one of another kind of tokenizer.
            TokenError: a token is outside its codebook.
        """
        check_grid(grid)
        mine, other = (self.bases, self.stride, self.lead_frame), (grid.bases, grid.stride, grid.lead_frame)
        if mine != other:
            raise OptionError(
                f"the grid has bases, stride and lead frame {other}, and this tokenizer {mine}. Use the "
                "tokenizer that made it."
            )
        return self.dequantize(grid.digits)

    def dequantize(self, digits: Digits) -> Latent:
        """What digits stand for, on the tokenizer's device; they may lie elsewhere, as those of a file do.

        Raises:
            OptionError: they are not a tensor of whole numbers.
            TokenError: a digit is outside its base.
        """
        check_whole(digits, "digits", cure=ROUND)
        return self.quantizer.dequantize(digits.to(self.device)).to(self.dtype)

    def grid(self, tokens: Tokens, *, frames: int, height: int, width: int) -> TokenGrid:
        """Say which clips tokens are of, such as generated ones.

        Args:
            tokens: ``Int b k t h w``.
            frames: length of the clips.
            height: their rows of pixels.
            width: their columns of pixels.

        Raises:
            ShapeError: such clips have more or fewer tokens.
            TokenError: a token is outside its codebook.
        """
        digits = tokens_to_digits(tokens, self.bases)
        return self._grid(digits, frames=frames, height=height, width=width)

    def forward(self, video: Video) -> Video:
        """Tokenize and detokenize."""
        return self.detokenize(self.tokenize(video))

    def stream_encoder(
        self,
        *,
        memory: int = DEFAULT_MEMORY,
        tile: tuple[int, int] | None = None,
        state: StreamState | None = None,
    ) -> "StreamTokenizer":
        """Start, or take up, the tokenizing of a clip that comes in runs of frames.

        Args:
            memory: bytes for what the network remembers and for the work on a step.
            tile: latent rows and columns to work on at a time, instead of what `memory` suggests.
            state: what `StreamTokenizer.state` gave, to go on from there.

        Raises:
            OptionError: the memory fits not one tile.
        """
        return StreamTokenizer(
            self.backbone.stream_encoder(memory=memory, tile=tile, state=state), self.quantizer
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
    ) -> "StreamDetokenizer":
        """Start, or take up, the decoding of a clip whose digits come in runs of steps.

        The arguments are those of `ContinuousTokenizer.stream_decoder`.

        Raises:
            OptionError: the memory fits not one tile.
            ShapeError: the size or length is not positive.
        """
        stream = self.backbone.stream_decoder(
            height=height,
            width=width,
            frames=frames,
            first_step=first_step,
            memory=memory,
            tile=tile,
            state=state,
        )
        return StreamDetokenizer(stream, self.dequantize)

    def flops_per_pixel(self) -> float:
        """Operations of the backbone to encode and decode a pixel; quantising costs next to nothing."""
        return self.backbone.flops_per_pixel()

    def networks_to(self, dtype: torch.dtype) -> "DiscreteTokenizer":
        """Let the networks compute in another number format; give the tokenizer.

        Tokens may then differ from those in float32; the quantiser itself stays in float32. ``half()`` and
        ``to(torch.bfloat16)`` do the same.
        """
        self.backbone.networks_to(dtype)
        return self

    def save(self, folder: Path | str, *, card: str | None = None, force: bool = False) -> Path:
        """Write the tokenizer as a checkpoint, which `tubelet.load_discrete` and every command take.

        Arguments and errors as `ContinuousTokenizer.save`.
        """
        return save_tokenizer(self.config, self.weights(), folder, card=card, force=force)

    @property
    def config(self) -> DiscreteConfig:
        """The numbers that it was built from.

        Raises:
            OptionError: nobody said so.
        """
        return known_config(self._config)

    def weights(self) -> dict[str, Tensor]:
        """What it has learned, by the names that a checkpoint gives; not copied."""
        parts = {"backbone": self.backbone.weights(), "quantizer": self._quantizer_module.state_dict()}
        return {f"{part}.{name}": each for part, weights in parts.items() for name, each in weights.items()}

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take these for its own; the mirror of `weights`."""
        self.backbone.load_weights(_of_part("backbone.", weights))
        self._quantizer_module.load_state_dict(_of_part("quantizer.", weights), assign=True)

    def fault(self) -> str | None:
        """What is wrong with weights that were just read; none if nothing is."""
        return self.backbone.fault()

    @property
    def _quantizer_module(self) -> nn.Module:
        assert isinstance(self.quantizer, nn.Module), "the constructor takes no other"
        return self.quantizer

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "DiscreteTokenizer":  # noqa: FBT001, FBT002  as torch has it
        """``half()``, ``to(torch.bfloat16)`` and the like do what `networks_to` does."""
        super()._apply(halving_only(self.backbone.model.networks(), fn), recurse)
        return self

    def _grid(self, digits: Digits, *, frames: int, height: int, width: int) -> TokenGrid:
        return TokenGrid(
            digits=digits,
            bases=self.bases,
            stride=self.stride,
            lead_frame=self.lead_frame,
            frames=frames,
            height=height,
            width=width,
        )


def _of_part(prefix: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): each for name, each in weights.items() if name.startswith(prefix)}


class StreamTokenizer(NamedTuple):
    """Give frames in runs of any length, get the digits of the latent steps that are complete."""

    stream: StreamEncoder[Latent]
    quantizer: Quantizer

    def __copy__(self) -> "StreamTokenizer":
        """A stream of the same tokenizer that goes on from here by itself."""
        return self._replace(stream=copy(self.stream))

    def push(self, video: Video) -> Digits:
        """Take frames as model input; give the digits of the steps that they complete, which may be none.

        Raises:
            ShapeError: the frames are not ``b 3 T H W``, or not of the size of those before.
            LatentError: the frames hold NaN or infinity.
        """
        return self.quantizer.quantize(self.stream.push(video))

    def push_frames(self, frames: Frames) -> Digits:
        """Take frames of 8 bits; give the digits of the steps that they complete, which may be none.

        Raises:
            ShapeError: the frames are not of the size of those before.
        """
        return self.quantizer.quantize(self.stream.push_frames(frames))

    def finish(self) -> Digits:
        """Say that no more frames come; give the digits of the last step, if one is begun."""
        return self.quantizer.quantize(self.stream.finish())

    def state(self) -> StreamState:
        """A copy of all that the stream knows, to store and to go on from."""
        return self.stream.state()


class StreamDetokenizer(NamedTuple):
    """Give digits of latent steps in runs of any length, get their frames."""

    stream: StreamDecoder[Latent]
    dequantize: Callable[[Digits], Latent]

    def __copy__(self) -> "StreamDetokenizer":
        """A stream of the same tokenizer that goes on from here by itself."""
        return self._replace(stream=copy(self.stream))

    def push(self, digits: Digits) -> Video:
        """Take digits; give their frames as model output.

        Raises:
            ShapeError: they are not of the clip's size, or go on past its end.
            TokenError: a digit is outside its base.
        """
        return self.stream.push(self.dequantize(digits))

    def push_frames(self, digits: Digits) -> Frames:
        """Take digits of one clip; give frames of 8 bits.

        Raises:
            ShapeError: they are not of the clip's size, go on past its end, or are of several clips.
            TokenError: a digit is outside its base.
        """
        return self.stream.push_frames(self.dequantize(digits))

    def finish(self) -> Video:
        """Say that no more steps come: gives no frames, because none are held back.

        Raises:
            ShapeError: the clip's length was given, and frames are missing.
        """
        return self.stream.finish()

    def state(self) -> StreamState:
        """A copy of all that the stream knows, to store and to go on from."""
        return self.stream.state()
