"""What a stream knows between two pushes: numbers only, so it can be stored and taken up elsewhere."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tubelet.models.protocol import Past, StepModel, StreamPast

DEFAULT_MEMORY = 1 << 30
"""Bytes that a stream may take, for what its network remembers and for the work on a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """The whole memory of a stream.

    Attributes:
        step: the next latent step.
        size: height and width of the frames, in pixels.
        tile: latent rows and columns of a tile; another tiling would need other state.
        pending: frames that do not fill a group yet, each ``UInt8 H W 3`` or ``Float b 3 H W``.
        past: per tile, what the network remembers; none where it remembers nothing.
    """

    step: int
    size: tuple[int, int]
    tile: tuple[int, int]
    pending: tuple[Tensor, ...]
    past: tuple[Past | None, ...]

    def to_tensors(self) -> dict[str, Tensor]:
        """Name every number, so that ``safetensors.torch.save_file`` can store the state."""
        depth = len(self.past[0]) if self.past and self.past[0] is not None else 0
        facts = [self.step, *self.size, *self.tile, len(self.pending), len(self.past), depth]
        tensors = {"facts": torch.tensor(facts, dtype=torch.int64)}
        tensors |= {f"pending.{i}": frame.contiguous() for i, frame in enumerate(self.pending)}
        for i, past in enumerate(self.past):
            tensors |= {f"past.{i}.{j}": tensor.contiguous() for j, tensor in enumerate(past or ())}
        return tensors

    def past_of(self, model: StepModel) -> list[StreamPast]:
        """What a model remembers, per tile, where it computes; the stream's own to change."""
        return [
            model.start_past(None if past is None else tuple(tensor.to(model.device) for tensor in past))
            for past in self.past
        ]

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "StreamState":
        """Undo `to_tensors`."""
        step, height, width, rows, columns, pending, tiles, depth = tensors["facts"].tolist()
        return cls(
            step=step,
            size=(height, width),
            tile=(rows, columns),
            pending=tuple(tensors[f"pending.{i}"] for i in range(pending)),
            past=tuple(
                tuple(tensors[f"past.{i}.{j}"] for j in range(depth)) if depth else None for i in range(tiles)
            ),
        )
