"""What a stream knows between two pushes: numbers only, so it can be stored and taken up elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tubelet.errors import OptionError, ShapeError
from tubelet.models.protocol import Past, StepModel, StreamPast
from tubelet.tokenizers.streams.origin import Origin, Streamed

DEFAULT_MEMORY = 1 << 30
"""Bytes that a stream may take, for what its network remembers and for the work on a step."""


_ORIGIN = "tokenizer"
"""The tensor that names the tokenizer; states from before lack it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """The whole memory of a stream.

    Attributes:
        step: the next latent step.
        size: height and width of the frames, in pixels.
        tile: latent rows and columns of a tile; another tiling would need other state.
        pending: frames that do not fill a group yet, each ``UInt8 H W 3`` or ``Float b 3 H W``.
        past: per tile, what the network remembers; none where it remembers nothing.
        origin: the tokenizer that it is of; none in states that were stored before they named it.
    """

    step: int
    size: tuple[int, int]
    tile: tuple[int, int]
    pending: tuple[Tensor, ...]
    past: tuple[Past | None, ...]
    origin: Origin | None = None

    def to_tensors(self) -> dict[str, Tensor]:
        """Name every number, so that ``safetensors.torch.save_file`` can store the state."""
        depth = len(self.past[0]) if self.past and self.past[0] is not None else 0
        facts = [self.step, *self.size, *self.tile, len(self.pending), len(self.past), depth]
        tensors = {"facts": torch.tensor(facts, dtype=torch.int64)}
        tensors |= {f"pending.{i}": frame.contiguous() for i, frame in enumerate(self.pending)}
        for i, past in enumerate(self.past):
            tensors |= {f"past.{i}.{j}": tensor.contiguous() for j, tensor in enumerate(past or ())}
        if self.origin is not None:
            tensors[_ORIGIN] = self.origin.to_tensor()
        return tensors

    def past_of(self, model: StepModel, *, tiles: int) -> list[StreamPast]:
        """What a model remembers, of so many tiles, where it computes; the stream's own to change.

        Raises:
            ShapeError: it is of another number of tiles.
        """
        if len(self.past) != tiles:
            raise ShapeError(
                f"the state is of {len(self.past)} tiles, and this stream goes through {tiles} of "
                f"{self.tile[0]}x{self.tile[1]} cells. Give the state of a stream of this tokenizer."
            )
        return [
            model.start_past(None if past is None else tuple(tensor.to(model.device) for tensor in past))
            for past in self.past
        ]

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "StreamState":
        """Undo `to_tensors`.

        Raises:
            OptionError: they are not the tensors of a state, or not all of them.
        """
        facts = tensors.get("facts") if isinstance(tensors, Mapping) else None
        if not isinstance(facts, Tensor) or facts.dtype != torch.int64 or facts.shape != (8,):
            raise OptionError(
                f"the tensors are {tensors!r:.60}, without the facts of a state. Give what "
                "`StreamState.to_tensors` made, or what `safetensors.torch.load_file` read of it."
            )
        step, height, width, rows, columns, pending, tiles, depth = facts.tolist()
        origin = tensors.get(_ORIGIN)
        named = 1 + pending + tiles * depth + (origin is not None)
        if (
            min(step, pending, tiles, depth) < 0
            or min(height, width, rows, columns) < 1
            or len(tensors) != named
        ):
            raise OptionError(
                f"the facts of the state are {facts.tolist()}, and there are {len(tensors)} tensors; they "
                "are damaged, or of something else. Give all that `StreamState.to_tensors` made."
            )
        try:
            return cls(
                step=step,
                size=(height, width),
                tile=(rows, columns),
                pending=tuple(tensors[f"pending.{i}"] for i in range(pending)),
                past=tuple(
                    tuple(tensors[f"past.{i}.{j}"] for j in range(depth)) if depth else None
                    for i in range(tiles)
                ),
                origin=None if origin is None else Origin.from_tensor(origin),
            )
        except KeyError as error:
            raise OptionError(
                f"the tensors of the state lack {error}. Give all that `StreamState.to_tensors` made."
            ) from error


def check_state(state: object, streamed: Streamed) -> None:
    """Raise unless a stream of this tokenizer can be taken up from this.

    Raises:
        OptionError: it is something else, or the state of another tokenizer.
    """
    if not isinstance(state, StreamState):
        raise OptionError(
            f"state is {state!r:.60}; it is what `state()` of a stream gave. `StreamState.from_tensors` "
            "makes it of tensors that were stored."
        )
    streamed.check_origin(state.origin)
