"""Steps after the last that is known: how they are laid out for a model that predicts."""

from collections.abc import Mapping

import torch
from torch import Tensor

from tubelet.errors import OptionError
from tubelet.models.protocol import PredictiveModel, StepModel
from tubelet.types import Counts, Known, Latents


def predictive_model(model: StepModel) -> PredictiveModel:
    """The same model, as one that predicts.

    Raises:
        OptionError: it has not learnt to.
    """
    if not isinstance(model, PredictiveModel) or not model.ahead:
        raise OptionError(
            "this tokenizer has not learnt to predict, so nothing follows the last step of a latent. Use one "
            "that has: `tubelet train predictive` makes them."
        )
    return model


def counts_ahead(first: int, steps: int) -> Counts:
    """The counts that say of consecutive steps that they are to come, the first of them the `first`-th."""
    return -torch.arange(first, first + steps).reshape(1, 1, -1, 1, 1)


def with_steps_ahead(
    model: PredictiveModel, latents: Latents, known: Known, *, dropped: int = 0, added: int = 0
) -> tuple[dict[str, Tensor], dict[str, Counts]]:
    """Latents whose last steps are to be predicted, and the counts that say so; differentiably.

    Args:
        model: with one latent step of every part in a step.
        latents: each part of a clip.
        known: how many channels its positions have.
        dropped: how many of its last steps are not known.
        added: how many steps after its last are predicted.
    """
    kept = {name: part[:, :, : part.shape[2] - dropped] for name, part in latents.items()}
    counts = {
        name: counts_of(known, name, part)[:, :, : kept[name].shape[2]] for name, part in latents.items()
    }
    last = model.still(_last(kept), _last(counts))
    ahead = counts_ahead(1, dropped + added)
    longer, told = dict[str, Tensor](), dict[str, Counts]()
    for name, part in kept.items():
        repeats = last[name].expand(-1, -1, dropped + added, -1, -1)
        longer[name] = torch.cat([part, repeats], dim=2)
        wide = ahead.to(part.device).expand(len(counts[name]), -1, -1, *counts[name].shape[3:])
        told[name] = torch.cat([counts[name], wide.to(counts[name].dtype)], dim=2)
    return longer, told


def counts_of(known: Known, name: str, part: Tensor) -> Counts:
    """How many channels each step of a part has, with a side for every step."""
    counts = known.get(name)
    if counts is None:
        counts = torch.full((1, 1, 1, 1, 1), part.shape[1], device=part.device)
    return counts if counts.shape[2] == part.shape[2] else counts.expand(-1, -1, part.shape[2], -1, -1)


def _last(parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: part[:, :, -1:] for name, part in parts.items()}
