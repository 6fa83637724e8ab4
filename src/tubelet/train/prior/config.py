"""Every number of a prior's training, in frozen dataclasses."""

from dataclasses import dataclass

from tubelet.errors import OptionError
from tubelet.train.config import LoopConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorStage:
    """A part of a run.

    Attributes:
        until: fraction of the run at which it ends; that of the last stage is 1.
        batch: windows of latents per iteration, over all processes.
        steps: latent steps of a window.
        side: rows and columns of positions of a window.
        exact: whether networks compute in float32, as they are used, even if the run is in bfloat16.
    """

    until: float = 1.0
    batch: int = 4
    steps: int = 6
    side: int = 16
    exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorTrainConfig(LoopConfig):
    """A complete training run of a prior.

    Attributes:
        tokenizer: whose symbols it is for: a shipped tokenizer or a folder, continuous, or discrete with
            digits that are ordinal.
        part: of a latent of several, by name; none for the only one whose channels are ordered.
        start: a prior of the same shape to go on from, by name or folder; none starts from what each channel
            has in the mean.
        hidden: features of each hidden layer of a group's network.
        four_passes: channels below this are coded in four passes of a step, others in two.
        per_clip: crops of each clip that are encoded, at most.
        stages: what is trained on, one after the other.
        steps: smallest and largest quantiser step, in the unit of ``tubelet encode --step``; their logarithm
            is even.
        maps: fraction of the windows whose channels are spent where the latent's energy is.
        dead_zones: fraction of the windows whose values are rounded nearer to zero than to the nearest.
    """

    tokenizer: str = "tubelet-m"
    part: str | None = None
    start: str | None = None
    hidden: int = 80
    four_passes: int = 4
    per_clip: int = 24
    stages: tuple[PriorStage, ...] = (PriorStage(),)
    steps: tuple[float, float] = (0.5, 8.0)
    maps: float = 0.5
    dead_zones: float = 0.3

    def __post_init__(self) -> None:
        ends = [stage.until for stage in self.stages]
        if not ends or ends != sorted(ends) or ends[-1] != 1.0:
            raise OptionError(f"stages end at {ends}; ends must rise to 1, the whole run.")
        least, most = self.steps
        if not 0 < least <= most or not 0 <= self.maps <= 1 or not 0 <= self.dead_zones <= 1:
            raise OptionError(
                f"steps are {self.steps}, maps {self.maps} and dead_zones {self.dead_zones}; steps are "
                "positive and rise, the others are fractions from 0 to 1."
            )
        if min(self.hidden, self.per_clip) < 1 or self.four_passes < 0:
            raise OptionError(
                f"hidden is {self.hidden}, per_clip {self.per_clip} and four_passes {self.four_passes}; the "
                "first two are at least 1, the last is not negative."
            )

    def stage_at(self, progress: float) -> PriorStage:
        """The stage in which a run is, by the fraction that is done."""
        return next((stage for stage in self.stages if progress < stage.until), self.stages[-1])
