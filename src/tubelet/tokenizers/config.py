"""The numbers that make a discrete tokenizer, and nothing else."""

from dataclasses import dataclass
from pathlib import Path

from tubelet.errors import CheckpointError
from tubelet.json_fields import fields_from_json
from tubelet.models.klt.config import KLTConfig
from tubelet.models.table import model_from_json
from tubelet.quantizers.config import QUANTIZERS, QuantizerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscreteConfig:
    """A discrete tokenizer.

    Attributes:
        name: what files call it.
        backbone: the model of the continuous tokenizer around the quantiser; its channels are quantised.
        quantizer: what makes digits of them.
    """

    name: str
    backbone: KLTConfig
    quantizer: QuantizerConfig

    @property
    def lead_frame(self) -> bool:
        """Whether the first frame is a group of its own."""
        return self.backbone.lead_frame


def discrete_from_json(numbers: object, folder: Path) -> DiscreteConfig:
    """Rebuild the configuration of a discrete tokenizer.

    Raises:
        CheckpointError: it is damaged, or newer than this program; `folder` is named.
    """
    if not isinstance(numbers, dict) or set(numbers) != {"name", "backbone", "quantizer"}:
        raise CheckpointError(
            f"the configuration in {folder} is {numbers!r:.80}; it must give a name, a backbone and a "
            "quantizer. Fetch it again."
        )
    if not isinstance(numbers["name"], str):
        raise CheckpointError(
            f"{folder} sets the name {numbers['name']!r:.80}; it must be a text. Fetch it again."
        )
    backbone = model_from_json(numbers["backbone"], folder)
    if not isinstance(backbone, KLTConfig):
        raise CheckpointError(
            f"{folder} holds a quantiser around a model of several parts; it quantises the channels of one. "
            "Fetch it again."
        )
    return DiscreteConfig(
        name=numbers["name"],
        backbone=backbone,
        quantizer=quantizer_from_json(numbers["quantizer"], folder),
    )


def quantizer_from_json(numbers: object, folder: Path) -> QuantizerConfig:
    """Rebuild the configuration of a quantiser.

    Raises:
        CheckpointError: it is damaged, or newer than this program; `folder` is named.
    """
    kind = numbers.get("kind") if isinstance(numbers, dict) else None
    if not isinstance(kind, str) or kind not in QUANTIZERS:
        raise CheckpointError(
            f"{folder} holds a quantiser of kind {kind!r:.80}; this program knows {', '.join(QUANTIZERS)}. "
            "Upgrade it."
        )
    return fields_from_json(QUANTIZERS[kind], numbers, f"the quantiser in {folder}")
