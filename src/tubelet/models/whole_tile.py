"""A base for models that work on a tile as a whole: two methods make a `StepModel`."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tubelet.errors import OptionError
from tubelet.models.protocol import Decoded, Encoded, Footprint, Past, PixelsOf, Rows
from tubelet.types import Known, Latents, Part, Stride, Video


@final
class HeldPast:
    """What such a model remembers of a tile between the steps of a stream.

    Attributes:
        tensors: what its last step gave; none before the first.
    """

    def __init__(self, tensors: Past | None = None) -> None:
        self.tensors = tensors

    def copied(self) -> Past | None:
        """A copy, to store and to go on from; none if nothing is remembered."""
        return None if not self.tensors else tuple(tensor.clone() for tensor in self.tensors)


class WholeTileModel(nn.Module, ABC):
    """A `StepModel` by `encode_groups` and `decode_groups` alone; see there for what each method gives.

    Streams work on one tile of one step at a time by these two. What is not said otherwise is that of a model
    without networks, whose channels are of zero mean and unit variance and change pixels by one.

    Args:
        parts: of which a latent consists.
        stride: frames, rows and columns of pixels of a step of one cell; a multiple of every part's.
        halo: cells to each side that a cell depends on, in both directions.
        warm_up: steps that decoding must start before the first step that is wanted.
        work: tensors as large as a tile that it holds at once, counted in videos of the tile.
    """

    def __init__(
        self, parts: Sequence[Part], *, stride: Stride, halo: int = 0, warm_up: int = 0, work: int = 4
    ) -> None:
        super().__init__()
        self.parts = tuple(parts)
        self.stride = stride
        self.variational = False
        self.encoder_halo = self.decoder_halo = halo
        self.warm_up = warm_up
        self._work = work
        self.register_buffer("unit", torch.ones(()))
        self.unit: Tensor

    @abstractmethod
    def encode_groups(self, groups: Video, past: Past | None) -> Encoded:
        """Encode consecutive whole steps of whole cells, differentiably."""

    @abstractmethod
    def decode_groups(self, latents: Latents, past: Past | None, known: Known) -> Decoded:
        """Decode consecutive whole steps; the mirror of `encode_groups`."""

    @property
    def dtype(self) -> torch.dtype:
        """The number format of videos and latents."""
        return self.unit.dtype

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.unit.device

    def start_past(self, stored: Past | None) -> HeldPast:
        """What a stream remembers of one tile: nothing yet, or what it stored."""
        return HeldPast(stored)

    @torch.no_grad()
    def encode_step(
        self,
        pixels_of: PixelsOf,
        past: HeldPast,
        *,
        cells: tuple[int, int],
        strip: int,
    ) -> Encoded:
        """Encode one step of one tile."""
        encoded = self.encode_groups(pixels_of(slice(0, cells[0])), past.tensors)
        past.tensors = encoded.past
        return encoded._replace(past=None)

    @torch.no_grad()
    def decode_step(
        self,
        latents: Latents,
        past: HeldPast,
        known: Known,
        *,
        strip: int,
    ) -> Iterator[Rows]:
        """Decode one step of one tile."""
        decoded = self.decode_groups(latents, past.tensors, known)
        past.tensors = decoded.past
        yield Rows(slice(0, decoded.groups.shape[3] // self.stride.h), decoded.groups)

    def encoder_footprint(self) -> Footprint:
        """What a stream takes for the encoder."""
        return self._footprint()

    def decoder_footprint(self) -> Footprint:
        """What a stream takes for the decoder."""
        return self._footprint()

    def flops_per_pixel(self) -> float:
        """Operations to encode and decode a pixel."""
        return 0.0

    def pixel_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """By how much one of each channel changes pixels."""
        return {part.name: torch.ones(part.channels, device=self.device) for part in self.parts}

    def coding_units(self) -> Mapping[str, Float[Tensor, " c"]]:
        """What a file's quantiser takes for `pixel_units`."""
        return self.pixel_units()

    def networks(self) -> Sequence[nn.Module]:
        """What may compute in half precision."""
        return []

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices between hidden features."""
        return []

    def shard_units(self) -> list[nn.Module]:
        """The modules whose weights are gathered together."""
        return list(self.networks())

    def set_trainable(self, *, encoder: bool, transform: bool) -> None:
        """Let weights be trained; all of them, or none if the encoder is frozen."""
        self.requires_grad_(encoder)

    def standardise(self, statistics: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Say what mean and deviation the channels have; such a model's are 0 and 1 already."""

    def narrowed(self, channels: int) -> "WholeTileModel":
        """Its first channels as a model of their own.

        Raises:
            OptionError: always.
        """
        raise OptionError(f"{type(self).__name__} cannot be narrowed to {channels} channels. Build another.")

    def fault(self) -> str | None:
        """What is wrong with numbers that were just read."""
        return None

    def _footprint(self) -> Footprint:
        pixels = 3 * prod(self.stride) * self.dtype.itemsize
        return Footprint(remembered=self.warm_up * pixels, whole=self._work * pixels, strip=0, most=1)
