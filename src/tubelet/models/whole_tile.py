"""Streams for models that work on a tile as a whole: `encode_step` and `decode_step` from the other two."""

from collections.abc import Iterator
from typing import Protocol, final, runtime_checkable

import torch

from tubelet.models.protocol import Decoded, Encoded, Past, PixelsOf, Rows
from tubelet.types import Known, Latents, Stride, Video


@runtime_checkable
class WholeTiles(Protocol):
    """What of a model is needed here."""

    stride: Stride

    def encode_groups(self, groups: Video, past: Past | None) -> Encoded:
        """Encode consecutive whole steps."""
        ...

    def decode_groups(self, latents: Latents, past: Past | None, known: Known) -> Decoded:
        """Decode consecutive whole steps."""
        ...


@final
class HeldPast:
    """What such a model remembers between the steps of a stream.

    Attributes:
        tensors: what its last step gave; none before the first.
    """

    def __init__(self, tensors: Past | None = None) -> None:
        self.tensors = tensors

    def copied(self) -> Past | None:
        """A copy, to store and to go on from; none if nothing is remembered."""
        return None if not self.tensors else tuple(tensor.clone() for tensor in self.tensors)


@torch.no_grad()
def encode_whole_tile(
    model: WholeTiles, pixels_of: PixelsOf, past: HeldPast, *, cells: tuple[int, int]
) -> Encoded:
    """Encode one step of one tile."""
    encoded = model.encode_groups(pixels_of(slice(0, cells[0])), past.tensors)
    past.tensors = encoded.past
    return encoded._replace(past=None)


@torch.no_grad()
def decode_whole_tile(model: WholeTiles, latents: Latents, past: HeldPast, known: Known) -> Iterator[Rows]:
    """Decode one step of one tile."""
    decoded = model.decode_groups(latents, past.tensors, known)
    past.tensors = decoded.past
    yield Rows(slice(0, decoded.groups.shape[3] // model.stride.h), decoded.groups)
