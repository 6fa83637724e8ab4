"""Which tokenizer a stream is of, and which one its stored state came from."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tubelet.errors import OptionError
from tubelet.json_text import text_to_json
from tubelet.models.protocol import StepModel
from tubelet.models.table import ModelConfig
from tubelet.tokenizers.grouping import Grouping
from tubelet.tokenizers.save import fingerprint

_BY_HAND = "a tokenizer put together by hand"


class Origin(NamedTuple):
    """A tokenizer, as the state of one of its streams names it.

    Attributes:
        name: what it is called.
        sha256: its fingerprint, in the number format that it computed in; of a discrete one, its backbone's.
        lead_frame: whether the first frame was a group of its own.
    """

    name: str
    sha256: str
    lead_frame: bool

    def to_tensor(self) -> Tensor:
        """The bytes of these facts as JSON."""
        return torch.from_numpy(np.frombuffer(json.dumps(self._asdict()).encode(), dtype=np.uint8).copy())

    @classmethod
    def from_tensor(cls, tensor: object) -> "Origin":
        """Undo `to_tensor`.

        Raises:
            OptionError: the bytes are others.
        """
        fields = None
        if isinstance(tensor, Tensor) and tensor.dtype == torch.uint8:
            try:
                fields = text_to_json(tensor.cpu().numpy().tobytes().decode())
            except ValueError:
                fields = None
        kinds = {"name": str, "sha256": str, "lead_frame": bool}
        if not isinstance(fields, dict) or {name: type(value) for name, value in fields.items()} != kinds:
            raise OptionError(
                f"the state says of its tokenizer {fields!r:.60}; that is damaged. Give all that "
                "`StreamState.to_tensors` made, as it was."
            )
        return cls(**fields)


@dataclass(frozen=True)
class Streamed:
    """What a stream computes with.

    Attributes:
        model: what encodes or decodes.
        grouping: which frames belong to which step.
        config: the numbers that the model was built from; none if nobody said so.
    """

    model: StepModel
    grouping: Grouping
    config: ModelConfig | None

    @cached_property
    def origin(self) -> Origin:
        """Whose the state is; reading all weights takes a moment, so it is done once."""
        assert isinstance(self.model, nn.Module), "tokenizers take no other"
        name = _BY_HAND if self.config is None else self.config.name
        sha256 = fingerprint(self.config, self.model.state_dict())
        return Origin(name, sha256, self.grouping.lead_frame)

    def check_origin(self, origin: Origin | None) -> None:
        """Raise if a state is of another tokenizer than this; one of before said nothing of that.

        Raises:
            OptionError: it is.
        """
        if origin is None:
            return
        if origin.sha256 != self.origin.sha256:
            raise OptionError(
                f"the state is of {origin.name!r:.80} (SHA-256 {origin.sha256:.16}…) and this tokenizer is "
                f"{self.origin.name!r:.80} ({self.origin.sha256:.16}…); what one remembers means nothing to "
                "another. Give the state to the tokenizer that it is of, in the same number format, or begin "
                "a new stream."
            )
        if origin.lead_frame != self.origin.lead_frame:
            raise OptionError(
                f"the state is of a stream with lead_frame={origin.lead_frame}, and this tokenizer has "
                f"lead_frame={self.origin.lead_frame}; their steps hold other frames. Load the tokenizer "
                f"with lead_frame={origin.lead_frame}, or begin a new stream."
            )
