"""Steps after the last that is known: how they are laid out for a model that predicts."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tubelet.errors import OptionError, ShapeError
from tubelet.given import as_whole
from tubelet.models.protocol import PredictiveModel, StepModel
from tubelet.tokenizers.grouping import Grouping
from tubelet.types import Counts, Known, Latents


class Longer(NamedTuple):
    """The latents of a clip with steps to come after its last.

    Attributes:
        latents: each part; of steps to come, a first guess.
        known: how many channels each position has; of steps to come -n, for the n-th after the last.
        frames: how many they are of.
    """

    latents: Latents
    known: Known
    frames: int


class LastStep(NamedTuple):
    """The last step that is known in a stream, from which those after it are predicted.

    Attributes:
        latents: each part of it.
        known: how many channels each position has, of every part.
        ahead: how many steps after it were predicted already.
    """

    latents: Latents
    known: Known
    ahead: int

    @classmethod
    def copied(cls, latents: Latents, known: Known) -> "LastStep":
        """A step that was just decoded; its tensors are the caller's and may change."""
        counts = {name: counts_of(known, name, part).clone() for name, part in latents.items()}
        return cls({name: part.clone() for name, part in latents.items()}, counts, 0)

    def to_tensors(self) -> tuple[Tensor, ...]:
        """All of it, for the state of a stream."""
        return (*self.latents.values(), *self.known.values(), torch.tensor(self.ahead))

    @classmethod
    def from_tensors(cls, tensors: Sequence[Tensor], names: Sequence[str]) -> "LastStep | None":
        """Undo `to_tensors`; none for a stream that had no step, or predicts none.

        Raises:
            OptionError: they are frames that wait, of a stream that encodes.
        """
        if not tensors:
            return None
        parts = len(names)
        if len(tensors) != 2 * parts + 1 or tensors[-1].numel() != 1:
            raise OptionError(
                "the state holds no last step that is known: it is of a stream that encodes. Give that of "
                "one that decodes."
            )
        latents, known = tensors[:parts], tensors[parts : 2 * parts]
        return cls(
            dict(zip(names, latents, strict=True)), dict(zip(names, known, strict=True)), int(tensors[-1])
        )


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


def continued(
    model: StepModel, grouping: Grouping, latents: Latents, known: Known, *, frames: int, steps: int
) -> Longer:
    """The latents of a clip with steps to come after its last.

    Raises:
        OptionError: the model has not learnt to predict, or `steps` is negative.
        ShapeError: the last step of the clip is not full.
    """
    predicting = predictive_model(model)
    added = as_whole(steps)
    if added is None or added < 0:
        raise OptionError(f"ahead is {steps!r:.60}; it is a number of latent steps, from 0.")
    before = grouping.steps(frames)
    check_full(grouping, frames, before)
    longer = with_steps_ahead(predicting, latents, known, added=added)
    return Longer(*longer, grouping.first_frame(before + added))


def check_full(grouping: Grouping, frames: int, steps: int) -> None:
    """Raise unless the last step of a clip is full, so that what follows it can be predicted.

    Raises:
        ShapeError: it is not.
    """
    if grouping.first_frame(steps) != frames:
        full = grouping.first_frame(steps - 1)
        raise ShapeError(
            f"the clip has {frames} frames, and {grouping.first_frame(steps)} would fill its {steps} latent "
            f"steps; what follows is predicted from full ones. Give the latent of {full or 'more'} frames."
        )


def counts_of(known: Known, name: str, part: Tensor) -> Counts:
    """How many channels each step of a part has, with a side for every step."""
    counts = known.get(name)
    if counts is None:
        counts = torch.full((1, 1, 1, 1, 1), part.shape[1], device=part.device)
    return counts if counts.shape[2] == part.shape[2] else counts.expand(-1, -1, part.shape[2], -1, -1)


def _last(parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: part[:, :, -1:] for name, part in parts.items()}
