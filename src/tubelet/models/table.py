"""The one table of models: a configuration for each kind, and how it is read."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from tubelet.errors import CheckpointError
from tubelet.json_fields import fields_from_json
from tubelet.models.flow.config import FlowConfig
from tubelet.models.klt.config import KLTConfig
from tubelet.models.levels.config import LevelsConfig
from tubelet.models.motion.config import MotionConfig
from tubelet.models.twin.config import TwinConfig

ModelConfig = KLTConfig | MotionConfig | TwinConfig | FlowConfig | LevelsConfig
"""The numbers of any model, the `name` of its tokenizer and whether clips have a `lead_frame`.

``build()`` makes the model, ``start(crops)`` makes it as training begins with it.
"""

KLT = "klt"

MODELS: dict[str, type[ModelConfig]] = {
    KLT: KLTConfig,
    "motion": MotionConfig,
    "twin": TwinConfig,
    "flow": FlowConfig,
    "levels": LevelsConfig,
}
"""Every model that a checkpoint may hold, by the kind that it names."""


def base_config(config: ModelConfig) -> ModelConfig | None:
    """Of a model that refines another one's frames, the numbers of that one; none of any other model."""
    return config.base if isinstance(config, FlowConfig | LevelsConfig) else None


def model_to_json(config: ModelConfig) -> dict[str, Any]:
    """A configuration as JSON holds it; the first kind names none, as before there were others."""
    kind = next(kind for kind, cls in MODELS.items() if type(config) is cls)
    return asdict(config) | ({} if kind == KLT else {"kind": kind})


def model_from_json(numbers: object, folder: Path) -> ModelConfig:
    """Undo `model_to_json`.

    Raises:
        CheckpointError: it is damaged, or newer than this program; `folder` is named.
    """
    if not isinstance(numbers, dict):
        raise CheckpointError(f"the configuration in {folder} is {numbers!r:.80}. Fetch it again.")
    kind = numbers.get("kind", KLT)
    if not isinstance(kind, str) or kind not in MODELS:
        raise CheckpointError(
            f"{folder} holds a model of kind {kind!r:.80}; this program knows {', '.join(MODELS)}. "
            "Upgrade it."
        )
    return fields_from_json(MODELS[kind], {k: v for k, v in numbers.items() if k != "kind"}, str(folder))
