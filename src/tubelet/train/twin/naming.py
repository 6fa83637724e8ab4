"""What a thing looks like, told by linear maps: by the structure, and as far as can be not by the dynamics.

One map for the numbers at every place of a part, whose answers compete: a clip has the label for which the
sum of the exponentials of its answers over all places is largest, since a thing may lie anywhere. Dynamics
are asked window by window, too: a map of the means over time of all their rows and columns. The maps are
trained with the model and left behind when it is exported.
"""

from collections.abc import Sequence

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

_SCALE = 32.0
"""Of the answers, so that maps that start at zero are quick at the rates of networks."""

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
        return _surprise(self._answers(STRUCTURE, structure), labels)

    def of_dynamics(self, latents: Latents, labels: Labels) -> Float[Tensor, ""]:
        """How badly they are told from the dynamics, by place and by window together.

        The gradient reaches the latents turned around: the maps get better, and the latents worse for them.

        Args:
            latents: of clips with one thing each, at least the dynamics.
            labels: of them.
        """
        rows, columns = _turned(latents[ROWS]), _turned(latents[COLUMNS])
        places = torch.cat([self._answers(ROWS, rows), self._answers(COLUMNS, columns)], dim=1)
        down = rearrange(rows.mean(dim=2), "b c (i y) j -> b (i j) (c y)", y=SIDE)
        along = rearrange(columns.mean(dim=2), "b c i (j x) -> b (i j) (c x)", x=SIDE)
        windows = _SCALE * self.windows(torch.cat([down, along], dim=2)).float()
        return _surprise(places, labels) + _surprise(windows, labels)

    def _answers(self, name: str, latent: Latent) -> Float[Tensor, "b p k"]:
        places = rearrange(latent, "b c t h w -> b (t h w) c")
        return _SCALE * self.maps[name](places).float()


def _zero(channels: int) -> nn.Linear:
    linear = nn.Linear(channels, sum(map(len, LABELS)))
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


def _turned(latent: Latent) -> Latent:
    """The same numbers, whose gradient has the other sign."""
    return 2 * latent.detach() - latent


def _surprise(answers: Float[Tensor, "rendered p k"], labels: Labels) -> Float[Tensor, ""]:
    """The cross entropy of all questions together; zero where nothing is asked."""
    each = answers.logsumexp(dim=1).split([len(names) for names in LABELS], dim=1)
    asked = (labels != UNASKED).sum(dim=0).clamp_min(1)
    surprises = [
        F.cross_entropy(answer, labels[:, question], ignore_index=UNASKED, reduction="sum") / asked[question]
        for question, answer in enumerate(each)
    ]
    return torch.stack(surprises).sum()
