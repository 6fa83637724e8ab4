"""Where the positions of each part of a latent lie in the steps and cells of its model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tubelet.errors import OptionError, ShapeError
from tubelet.given import as_whole
from tubelet.models.protocol import StepModel
from tubelet.tokenizers.grouping import Grouping, check_positions
from tubelet.types import Known, Latent, Latents, Part, Stride


@dataclass(frozen=True, slots=True, kw_only=True)
class PartGrid:
    """A part on the steps and cells of a model.

    A step has one or more latent steps of the part, a cell one or more rows and columns. Only a lead step, a
    frame that stands still, has one latent step of every part.

    Attributes:
        part: which part.
        steps: latent steps of the part in a step.
        rows: rows of the part in a cell.
        columns: columns of the part in a cell.
        lead_frame: whether the first step of a clip is a lead step.
    """

    part: Part
    steps: int
    rows: int
    columns: int
    lead_frame: bool

    @classmethod
    def of(cls, part: Part, grouping: Grouping) -> "PartGrid":
        """Lay a part out.

        Raises:
            OptionError: the model's stride is not a multiple of the part's.
        """
        whole = grouping.stride
        if any(of_model % of_part for of_model, of_part in zip(whole, part.stride, strict=True)):
            raise OptionError(
                f"part {part.name!r} has stride {part.stride} and its model {whole}; the model's must be a "
                "multiple of it. Change one of them."
            )
        steps, rows, columns = (a // b for a, b in zip(whole, part.stride, strict=True))
        return cls(part=part, steps=steps, rows=rows, columns=columns, lead_frame=grouping.lead_frame)

    @property
    def ratio(self) -> Stride:
        """Latent steps, rows and columns of the part in a step of one cell."""
        return Stride(self.steps, self.rows, self.columns)

    def first(self, step: int) -> int:
        """The part's latent step with which a step begins; for the step past the end, how many there are."""
        return Grouping(stride=self.ratio, lead_frame=self.lead_frame).first_frame(step)

    def in_step(self, step: int) -> int:
        """Latent steps of the part in a step."""
        return self.first(step + 1) - self.first(step)

    def whole_steps(self, length: int, first_step: int) -> int | None:
        """How many whole steps so many latent steps of the part are; none if there is no such number."""
        lead = int(self.lead_frame and first_step == 0 and length > 0)
        steps, rest = divmod(length - lead, self.steps)
        return None if rest else lead + steps

    def cells(self, rows: slice, columns: slice) -> tuple[slice, slice]:
        """The part's rows and columns of some rows and columns of cells."""
        return _scaled(rows, self.rows), _scaled(columns, self.columns)

    def shape(self, first_step: int, steps: int, cells: tuple[int, int]) -> tuple[int, int, int]:
        """Latent steps, rows and columns of the part in a run of steps of a frame."""
        latent_steps = self.first(first_step + steps) - self.first(first_step)
        return latent_steps, cells[0] * self.rows, cells[1] * self.columns

    def check(self, latent: Latent, grouping: Grouping, *, frames: int, height: int, width: int) -> None:
        """Raise unless this is the part of a clip of this length and size.

        Raises:
            ShapeError: it is not.
        """
        expected = self.shape(0, grouping.steps(frames), grouping.cells(height, width))
        check_positions(
            tuple(latent.shape[2:]),
            expected,
            size=(frames, height, width),
            stride=self.part.stride,
            lead_frame=self.lead_frame,
        )


class PartGrids:
    """All parts of a model on its steps and cells.

    Attributes:
        grouping: which frames belong to which step.
    """

    def __init__(self, model: StepModel, grouping: Grouping) -> None:
        self.grouping = grouping
        self._grids = {part.name: PartGrid.of(part, grouping) for part in model.parts}

    def __getitem__(self, name: str) -> PartGrid:
        return self._grids[name]

    def trimmed(self, latents: Latents) -> dict[str, Tensor]:
        """What a model gave from the start of a clip: of a lead step, each part's first latent step."""
        return {name: self._trimmed(self[name], latent) for name, latent in latents.items()}

    def filled(self, latents: Latents) -> dict[str, Tensor]:
        """Undo `trimmed`: the lead step stands still, so its latent step is repeated."""
        return {name: self._filled(self[name], latent) for name, latent in latents.items()}

    def filled_known(self, known: Known) -> dict[str, Tensor]:
        """The same for counts; sides of 1 stand for all steps."""
        return {
            name: counts if counts.shape[2] == 1 else self._filled(self[name], counts)
            for name, counts in known.items()
        }

    def steps_in(self, latents: Latents, first_step: int) -> int:
        """How many whole steps these latents are of, counted from a step of the clip.

        Raises:
            ShapeError: they are not of the same whole steps.
        """
        return self.steps_of({name: latents[name].shape[2] for name in self._grids}, first_step)

    def steps_of(self, lengths: Mapping[str, int], first_step: int) -> int:
        """How many whole steps so many latent steps of each part are, counted from a step of the clip.

        Raises:
            ShapeError: they are not of the same whole steps.
        """
        found = [self[name].whole_steps(length, first_step) for name, length in lengths.items()]
        steps = found[0]
        if steps is None or any(other != steps for other in found):
            raise ShapeError(
                f"the parts have {dict(lengths)} latent steps from step {first_step} of the clip; together "
                "they are of no whole number of steps. Give all parts of the same steps."
            )
        return steps

    def step_of(self, latents: Mapping[str, Tensor], first_step: int, index: int) -> dict[str, Tensor]:
        """The parts of one step of a run that begins with `first_step`; a side of 1 stands for all steps."""
        return {
            name: latent if latent.shape[2] == 1 else latent[:, :, self.span(name, first_step, index)]
            for name, latent in latents.items()
        }

    def span(self, name: str, first_step: int, index: int) -> slice:
        """Where the latent steps of a step lie in a run that begins with `first_step`."""
        grid, origin = self[name], self[name].first(first_step)
        return slice(grid.first(first_step + index) - origin, grid.first(first_step + index + 1) - origin)

    @staticmethod
    def _trimmed(grid: PartGrid, latent: Tensor) -> Tensor:
        if not grid.lead_frame or grid.steps == 1:
            return latent
        return torch.cat([latent[:, :, :1], latent[:, :, grid.steps :]], dim=2)

    @staticmethod
    def _filled(grid: PartGrid, latent: Tensor) -> Tensor:
        if not grid.lead_frame or grid.steps == 1:
            return latent
        return torch.cat([latent[:, :, :1].expand(-1, -1, grid.steps, -1, -1), latent[:, :, 1:]], dim=2)


def joined(runs: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Consecutive runs of steps as one; those before the first step know no size yet."""
    begun = [run for run in runs if any(part.shape[2] for part in run.values())]
    return {name: torch.cat([run[name] for run in begun], dim=2) for name in begun[0]}


def check_prefixes(channels: Mapping[str, int] | None, parts: Sequence[Part]) -> dict[str, int]:
    """How many channels of each part are meant: all of those that are not named.

    Raises:
        OptionError: this is no mapping, there is no such part, or it has not as many channels.
    """
    wanted = {part.name: part.channels for part in parts}
    if not isinstance(channels, Mapping | None):
        raise OptionError(
            f"channels is {channels!r:.60}; they are said of each part by name; {wanted} are all."
        )
    kept = dict(wanted)
    for name, given in (channels or {}).items():
        count = as_whole(given)
        if name not in wanted or count is None or not 1 <= count <= wanted[name]:
            raise OptionError(
                f"channels of part {name!r} are {given!r:.60}; the parts and their channels are {wanted}. "
                "Give 1 to as many of one of them."
            )
        kept[name] = count
    return kept


def _scaled(cells: slice, factor: int) -> slice:
    return slice(cells.start * factor, cells.stop * factor)
