"""What a model is: one step of a fixed number of frames at a time, to the parts of a latent and back.

Whole clips, streams, tiles, files, training and checks are written once, above this, and look inside no
model. docs/guides/models.md adds one of 60 lines.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tubelet.types import Known, Latents, Part, Stride, Video

Past = tuple[Tensor, ...]
"""What a network remembers of the steps before: numbers of a bounded size, each ``b …``."""

PixelsOf = Callable[[slice], Video]
"""Gives the frames of some rows of cells of a tile, one step of whole cells."""


class Encoded(NamedTuple):
    """Consecutive steps, encoded.

    Attributes:
        latents: each part; the mean, where the model knows a distribution.
        log_variances: natural logarithms of the variances around them; none where it knows none.
        past: what the encoder needs for the steps that follow.
    """

    latents: Latents
    log_variances: Latents | None
    past: Past | None


class Decoded(NamedTuple):
    """Frames of consecutive steps, and what the decoder needs for the steps that follow."""

    groups: Video
    past: Past | None


class Rows(NamedTuple):
    """Frames of some rows of a tile.

    Attributes:
        rows: rows of cells, counted from the top of the tile.
        groups: their frames, in whole steps and whole cells.
    """

    rows: slice
    groups: Video


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Bytes per cell that a stream takes for a network; upper estimates.

    Attributes:
        remembered: what stays from step to step, for every cell of every tile and its halo.
        whole: tensors as large as the tile at work with its halo.
        strip: tensors as large as the strip of it at work.
        most: cells of a strip at most; more is of no use.
    """

    remembered: int
    whole: int
    strip: int
    most: int

    def numbers_at_work(self, dtype: torch.dtype) -> int:
        """Numbers per cell of both kinds of tensors, where no strips are cut; in the format of `dtype`."""
        return (self.whole + self.strip) // dtype.itemsize


@runtime_checkable
class StreamPast(Protocol):
    """What a network remembers in a stream, of one tile; it changes with every step."""

    def copied(self) -> Past | None:
        """A copy, to store and to go on from; none if nothing is remembered."""
        ...


@runtime_checkable
class StepModel(Protocol):
    """A model, which is also a `torch.nn.Module`.

    A *step* is ``stride.t`` frames and a *cell* ``stride.h`` x ``stride.w`` pixels: the least that every part
    holds a whole number of positions of. All that it computes depends on a bounded neighbourhood, which is
    `encoder_halo` or `decoder_halo` cells to each side and earlier steps; nothing on where in a clip that is.

    Attributes:
        parts: of which a latent consists.
        stride: frames, rows and columns of pixels of a step of one cell; a multiple of every part's.
        variational: whether the encoder gives a distribution.
    """

    parts: tuple[Part, ...]
    stride: Stride
    variational: bool

    @property
    def dtype(self) -> torch.dtype:
        """The number format of videos and latents."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    @property
    def encoder_halo(self) -> int:
        """Cells to each side that a cell of the latent depends on."""
        ...

    @property
    def decoder_halo(self) -> int:
        """Cells to each side that a cell of the video depends on."""
        ...

    @property
    def warm_up(self) -> int:
        """Steps that decoding must start before the first step that is wanted."""
        ...

    def encode_groups(self, groups: Video, past: Past | None) -> Encoded:
        """Encode consecutive whole steps of whole cells, differentiably.

        Args:
            groups: frames in multiples of the stride.
            past: what this gave for the steps before; none at the start of a clip.
        """
        ...

    def decode_groups(self, latents: Latents, past: Past | None, known: Known) -> Decoded:
        """Decode consecutive whole steps; the mirror of `encode_groups`.

        Args:
            latents: the first channels of every part, as many as there are.
            past: what this gave for the steps before; none at the start of a clip.
            known: how many of these channels each position has.
        """
        ...

    def start_past(self, stored: Past | None) -> StreamPast:
        """What a stream remembers of one tile: nothing yet, or what it stored."""
        ...

    def encode_step(
        self,
        pixels_of: PixelsOf,
        past: Any,  # noqa: ANN401  what `start_past` gave
        *,
        cells: tuple[int, int],
        strip: int,
    ) -> Encoded:
        """Encode one step of one tile as `encode_groups` does, without gradients, in little memory.

        Args:
            pixels_of: gives the frames of some rows of the tile.
            past: what is remembered of the tile; it is changed, and `Encoded.past` is none.
            cells: rows and columns of the tile.
            strip: cells to work on at a time.
        """
        ...

    def decode_step(
        self,
        latents: Latents,
        past: Any,  # noqa: ANN401  what `start_past` gave
        known: Known,
        *,
        strip: int,
    ) -> Iterator[Rows]:
        """Decode one step of one tile, some rows at a time; the mirror of `encode_step`."""
        ...

    def encoder_footprint(self) -> Footprint:
        """What a stream takes for the encoder."""
        ...

    def decoder_footprint(self) -> Footprint:
        """What a stream takes for the decoder."""
        ...

    def flops_per_pixel(self) -> float:
        """Operations to encode and decode a pixel: two per multiplication of a weight, all channels kept."""
        ...

    def pixel_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """By how much one of each channel changes pixels: the norm of the change, video in [-1, 1]."""
        ...

    def coding_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """What a file's quantiser takes for `pixel_units`; they are part of its format, and never change."""
        ...

    def networks(self) -> Sequence[nn.Module]:
        """What may compute in half precision; none if it is linear."""
        ...

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices between hidden features, which an optimiser for matrices such as Muon may move."""
        ...

    def shard_units(self) -> list[nn.Module]:
        """The modules whose weights are gathered together while they compute, if weights are split (FSDP)."""
        ...

    def set_trainable(self, *, encoder: bool, transform: bool) -> None:
        """Let weights be trained; those of the encoder and of a fitted transform only if so said."""
        ...

    def standardise(self, statistics: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Say what mean and deviation the channels of each part have; from then on they have 0 and 1."""
        ...

    def narrowed(self, channels: int) -> "StepModel":
        """The first channels of its only part as a model of their own, which decodes them as this one does.

        Raises:
            OptionError: it has fewer channels, or several parts.
        """
        ...

    def fault(self) -> str | None:
        """What is wrong with numbers that were just read; none if nothing is."""
        ...


@runtime_checkable
class HasDynamics(Protocol):
    """A model whose latent says how things move apart from what is seen.

    Attributes:
        dynamics: the parts that say how things move; all others say what is seen.
    """

    dynamics: tuple[str, ...]


@runtime_checkable
class HasMotion(Protocol):
    """A model whose latent says in pixels how far its cells move within a step.

    Attributes:
        motion: the part that says so: to the right and down since the first frame of a step, for each of the
            frames after it.
    """

    motion: str


class BitPrice(NamedTuple):
    """What a bit of a file is worth.

    Attributes:
        step: of the quantiser, in units of an orthonormal coefficient of pixels in [-1, 1].
        error: squared error of pixels that a bit must take away.
        channels: of ordered parts that are stored at most.
    """

    step: float
    error: float
    channels: int


@runtime_checkable
class PricedModel(StepModel, Protocol):
    """A model whose encoder can choose what it says by what that takes in a file."""

    def priced(self, price: BitPrice) -> "PricedModel":
        """The same weights, with an encoder that says nothing that is not worth its bits."""
        ...


@runtime_checkable
class PredictiveModel(StepModel, Protocol):
    """A model that can learn to predict steps after the last that is known.

    Such a step is decoded like any other: its latent is that of `still`, and each part of it has -n channels
    that are known, for the n-th step after the last.

    Attributes:
        ahead: how many steps it has learnt to predict; 0 if it has not. Those after them are decoded like the
            last of them.
    """

    ahead: int

    def still(self, latents: Latents, known: Known) -> Latents:
        """The latent of a step that shows the last frame of a step all along: a guess at the next."""
        ...

    def predictive(self, ahead: int) -> "PredictiveModel":
        """The same as a model that learns to predict so many steps, and as yet shows the last frame on.

        Raises:
            OptionError: it cannot learn to, or predicts another number of steps.
        """
        ...


@runtime_checkable
class GenerativeModel(StepModel, Protocol):
    """A model whose decoder makes up what a latent does not say, out of noise.

    Attributes:
        base: the model that it is built on; where the parts are the same, it decodes the latents of that, and
            nothing is left to chance by it. Its configuration has that of `base` under this name too.
        refine: in how many steps; with none, the video is that of `base`.
        seed: of the noise.
    """

    base: Any
    refine: int
    seed: int

    def refined(self, steps: int, *, seed: int) -> "GenerativeModel":
        """The same weights with so many steps, and another seed.

        Raises:
            OptionError: one of them is out of range.
        """
        ...

    def noise(self, rows: slice, columns: slice) -> Latents:
        """What `decode_groups` and `decode_step` take beside the parts of a latent, of any number of steps.

        It depends on the seed and on the place in the frame, and on nothing else.

        Args:
            rows: of cells, counted from the top of the frame.
            columns: of cells, counted from its left.
        """
        ...
