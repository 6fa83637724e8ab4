"""Clips: finding them, cutting crops out of them once, drawing batches; and data sets of encoded clips."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tubelet.data.latent_dataset import LatentBatch, LatentDataset

_HOMES = {
    "LatentBatch": "tubelet.data.latent_dataset",
    "LatentDataset": "tubelet.data.latent_dataset",
}

__all__ = ["LatentBatch", "LatentDataset"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the name stands for
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"tubelet.data has no {name!r}; it has {', '.join(__all__)}.")
