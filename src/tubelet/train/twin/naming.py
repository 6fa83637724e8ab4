"""What a thing looks like, told by linear maps: by the structure, and as far as can be not by the dynamics.

One map for the numbers at every place of a part, whose answers compete: a clip has the label for which the
sum of the exponentials of its answers over all places is largest, since a thing may lie anywhere. Dynamics
are asked window by window, too: a map of the means over time of all their rows and columns. The maps are
trained with the model and left behind when it is exported.
"""

from collections.abc import Sequence
from math import log

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from tubelet.data.scenes import Scene
from tubelet.data.scenes.words import COLOURS, SHAPES
from tubelet.models.twin.factors import SIDE
from tubelet.models.twin.model import COLUMNS, ROWS, STRUCTURE
from tubelet.types import Latent, Latents, Part

LABELS = (tuple(COLOURS), SHAPES)
"""The answers to each question: what colour a thing has, and what shape."""

UNASKED = -1
"""In place of a label: the thing is no shape."""

_SCALE = 128.0
"""Of answers, less where they have many numbers: maps start at zero, and are quick at rates of networks."""

Labels = Int64[Tensor, "rendered q"]
"""The number of the right answer to each question, for each clip."""


def labels_of(scenes: Sequence[Scene]) -> Labels:
    """The right answers for scenes with one thing each."""
    rows: list[list[int]] = []
    for scene in scenes:
        looks = scene.things[0].appearance
        shape = SHAPES.index(looks.name) if looks.kind == "shape" else UNASKED
        rows.append([list(COLOURS).index(looks.colour), shape])
    return torch.tensor(rows, dtype=torch.long).reshape(len(rows), len(LABELS))


class Naming(nn.Module):
    """A linear map for each part of the latent, and one for windows of the dynamics."""

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__()
        self.maps = nn.ModuleDict({part.name: _zero(part.channels) for part in parts})
        self.windows = _zero(sum(SIDE * part.channels for part in parts if part.name != STRUCTURE))

    def of_structure(self, structure: Latent, labels: Labels) -> Float[Tensor, ""]:
        """How badly labels are told from the structure, in nats.

        Args:
            structure: of clips with one thing each.
            labels: of them.
        """
        return surprise(_told(self.maps[STRUCTURE], _places(structure), frozen=False), labels)

    def of_dynamics(self, latents: Latents, labels: Labels) -> Float[Tensor, ""]:
        """How badly they are told from the dynamics by place and by window, and how far that is from a guess.

        Maps learn from the first, latents from the second alone: they are led to where the maps hold every
        label for equally likely, which is a bound that a turned gradient has not.

        Args:
            latents: of clips with one thing each, at least the dynamics.
            labels: of them.
        """
        told = self.answers_of_dynamics(
            {name: latent.detach() for name, latent in latents.items()}, frozen=False
        )
        seen = self.answers_of_dynamics(latents, frozen=True)
        parts = [surprise(answers, labels) for answers in told] + [sureness(answers) for answers in seen]
        return torch.stack(parts).sum()

    def answers_of_dynamics(self, latents: Latents, *, frozen: bool) -> list[Float[Tensor, "b _ k"]]:
        """The answers of all places, and those of all windows: one for each label of every question.

        Args:
            latents: of clips with one thing each, at least the dynamics.
            frozen: whether the maps do not learn from what is made of the answers.
        """
        rows, columns = latents[ROWS], latents[COLUMNS]
        places = [_told(self.maps[name], _places(latents[name]), frozen=frozen) for name in (ROWS, COLUMNS)]
        down = rearrange(rows.mean(dim=2), "b c (i y) j -> b (i j) (c y)", y=SIDE)
        along = rearrange(columns.mean(dim=2), "b c i (j x) -> b (i j) (c x)", x=SIDE)
        windows = _told(self.windows, torch.cat([down, along], dim=2), frozen=frozen)
        return [torch.cat(places, dim=1), windows]


def _places(latent: Latent) -> Float[Tensor, "b p c"]:
    return rearrange(latent, "b c t h w -> b (t h w) c")


def _told(linear: nn.Module, numbers: Float[Tensor, "b p d"], *, frozen: bool) -> Float[Tensor, "b p k"]:
    """The answers of a map; frozen, it does not learn from what is made of them."""
    assert isinstance(linear, nn.Linear)
    weight, bias = (linear.weight.detach(), linear.bias.detach()) if frozen else (linear.weight, linear.bias)
    return _SCALE * F.linear(numbers, weight, bias).float() / numbers.shape[2] ** 0.5


def _zero(channels: int) -> nn.Linear:
    linear = nn.Linear(channels, sum(map(len, LABELS)))
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


def surprise(answers: Float[Tensor, "rendered p k"], labels: Labels) -> Float[Tensor, ""]:
    """How badly labels are told by answers: the cross entropy of all questions together, in nats.

    Args:
        answers: of every place or window of a clip, as `Naming.answers_of_dynamics` gives them.
        labels: of the same clips; zero comes of questions that none of them is asked.
    """
    asked = (labels != UNASKED).sum(dim=0).clamp_min(1)
    surprises = [
        F.cross_entropy(answer, labels[:, question], ignore_index=UNASKED, reduction="sum") / asked[question]
        for question, answer in enumerate(_questions(answers))
    ]
    return torch.stack(surprises).sum()


def sureness(answers: Float[Tensor, "rendered p k"]) -> Float[Tensor, ""]:
    """How far answers are from holding all labels for equally likely: a divergence in nats, at least zero.

    Args:
        answers: of every place or window of a clip, as `Naming.answers_of_dynamics` gives them.
    """
    far = [
        -answer.log_softmax(dim=1).mean(dim=1).sum() / len(answer) - log(answer.shape[1])
        for answer in _questions(answers)
        if len(answer)
    ]
    return torch.stack(far).sum() if far else answers.sum()


def _questions(answers: Float[Tensor, "rendered p k"]) -> tuple[Float[Tensor, "rendered _"], ...]:
    """What all places together answer to each question."""
    return answers.logsumexp(dim=1).split([len(names) for names in LABELS], dim=1)
