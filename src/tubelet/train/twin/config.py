"""Every number of the training of structure and dynamics, in frozen dataclasses."""

from dataclasses import dataclass

from tubelet.errors import OptionError
from tubelet.models.twin.config import TwinConfig
from tubelet.train.config import LoopConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinStage:
    """A part of a run.

    Attributes:
        until: fraction of the run at which it ends; that of the last stage is 1.
        batch: pairs of clips per iteration, over all processes: of crops, or of rendered scenes.
        frames: frames per clip, a lead frame and whole chunks.
        side: rows and columns of pixels per clip.
        encoder: whether the encoder is trained; frozen, the latent stays what it is.
    """

    until: float = 1.0
    batch: int = 4
    frames: int = 33
    side: int = 64
    encoder: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinTrainConfig(LoopConfig):
    """A complete training run of a model of structure and dynamics.

    Attributes:
        model: what is trained.
        start: a tokenizer of the same model to go on from, by name or folder; none starts from the linear
            model.
        stages: what is trained on, one after the other.
        scenes: fraction of the pairs that are rendered; the others are of prepared crops.
        lead: fraction of the iterations whose clips have a lead frame.
        log_mse: weight of `losses.reconstruction.log_mse` between clips and what comes back of them.
        log_difference: weight of `losses.temporal.log_frame_difference` between them.
        structure: by which factor the same counts between the mean frame of each chunk and what its structure
            alone gives.
        swap: by which factor it counts between the rendered swap of a pair and what the structure of the one
            gives with the dynamics of the other.
        named: weight of the cross entropy with which linear maps name the colour and the shape of a rendered
            thing from places of the structure.
        untold: weight with which dynamics are kept from telling the same.
        log_floor: squared error at which the losses start to be content.
        dropped: fraction of the steps whose dynamics are dropped.
        prefixes: fraction of the clips of which the decoder gets the first channels of each part only.
    """

    model: TwinConfig
    start: str | None = None
    stages: tuple[TwinStage, ...] = (TwinStage(),)
    scenes: float = 0.5
    lead: float = 0.25
    log_mse: float = 0.1
    log_difference: float = 0.03
    structure: float = 0.25
    swap: float = 0.25
    named: float = 0.02
    untold: float = 0.02
    log_floor: float = 3e-5
    dropped: float = 0.1
    prefixes: float = 0.2

    def __post_init__(self) -> None:
        ends = [stage.until for stage in self.stages]
        if not ends or ends != sorted(ends) or ends[-1] != 1.0:
            raise OptionError(f"stages end at {ends}; ends must rise to 1, the whole run.")
        fractions = (self.scenes, self.lead, self.dropped, self.prefixes)
        if not all(0 <= each <= 1 for each in fractions):
            raise OptionError(
                f"scenes, lead, dropped and prefixes are {fractions}; each is a fraction from 0 to 1."
            )
        for stage in self.stages:
            if min(stage.batch, stage.side) < 1 or stage.frames < 2:
                raise OptionError(
                    f"a stage has {stage.batch} pairs of {stage.frames} frames of {stage.side} pixels; the "
                    "least is a pair of two frames of one pixel."
                )

    def stage_at(self, progress: float) -> TwinStage:
        """The stage in which a run is, by the fraction that is done."""
        return next((stage for stage in self.stages if progress < stage.until), self.stages[-1])
