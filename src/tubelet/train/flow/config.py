"""Every number of the training of a flow, in frozen dataclasses."""

from dataclasses import dataclass, field

from tubelet.errors import OptionError
from tubelet.models.flow.config import FlowConfig
from tubelet.models.flow.model import MOST_STEPS
from tubelet.train.config import LoopConfig, check_losses
from tubelet.train.tokenizer.config import Prefixes


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStage:
    """A part of a run.

    Attributes:
        until: fraction of the run at which it ends; that of the last stage is 1.
        batch: clips per iteration, over all processes.
        frames: frames per clip.
        side: rows and columns of pixels per clip.
    """

    until: float = 1.0
    batch: int = 8
    frames: int = 17
    side: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowLosses:
    """What each loss counts; a weight of zero leaves a loss out.

    Attributes:
        velocity: squared error of the velocity at a time that is drawn for each clip.
        perceptual: of `perceptual.lpips` between a clip and what the sampler makes of its latent; needs the
            weights of its network (`FlowTrainConfig.perceptual`).
        log_detail: of `losses.detail.log_detail` between them.
        log_mse: of `losses.reconstruction.log_mse` between them: what chance may cost in PSNR.
        log_difference: of `losses.temporal.log_frame_difference` between them.
        log_floor: squared error at which the last two start to be content.
        perceptual_frames: frames of each clip that the perceptual network sees.
    """

    velocity: float = 0.0
    perceptual: float = 0.0
    log_detail: float = 0.0
    log_mse: float = 0.0
    log_difference: float = 0.0
    log_floor: float = 3e-5
    perceptual_frames: int = 2

    def __post_init__(self) -> None:
        check_losses(self)

    @property
    def of_samples(self) -> bool:
        """Whether a loss compares what the sampler makes."""
        return any((self.perceptual, self.log_detail, self.log_mse, self.log_difference))


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowTrainConfig(LoopConfig):
    """A complete training run of a flow; the tokenizer that it refines is never trained.

    Attributes:
        model: what is trained.
        base: the tokenizer that it refines, by name or folder.
        start: a tokenizer with a flow of the same model to go on from, by name or folder; none starts anew.
            Of its blocks it may have fewer: those that are new change nothing until they are trained.
        noise: by what the size of what is lacking, and of the noise with it, is multiplied at the start.
            Below 1 there is less grain than a velocity that was trained with squared errors asks for.
        stages: what is trained on, one after the other.
        losses: weights of the losses.
        prefixes: how many channels the frozen decoder gets.
        steps: numbers of steps of the sampler to draw from, for the losses that compare what it makes.
        scenes: share of the clips that are rendered (`data.scenes`) in place of windows of the data.
        perceptual: file of the perceptual network's weights.
        perceptual_sha256: what that file must be.
    """

    model: FlowConfig
    base: str = "tubelet-s"
    start: str | None = None
    noise: float = 1.0
    stages: tuple[FlowStage, ...] = (FlowStage(),)
    losses: FlowLosses = field(default_factory=lambda: FlowLosses(velocity=1.0))
    prefixes: Prefixes = field(
        default_factory=lambda: Prefixes(
            counts=(4, 8, 16, 32, 64), weights=(8.0, 2.0, 5.0, 1.0, 1.0), maps=0.1
        )
    )
    steps: tuple[int, ...] = (1, 2, 4, 8)
    scenes: float = 0.0
    perceptual: str | None = None
    perceptual_sha256: str | None = None

    def __post_init__(self) -> None:
        ends = [stage.until for stage in self.stages]
        if not ends or ends != sorted(ends) or ends[-1] != 1.0:
            raise OptionError(f"stages end at {ends}; ends must rise to 1, the whole run.")
        if max(self.prefixes.counts) > self.model.base.channels:
            raise OptionError(
                f"prefixes go to {max(self.prefixes.counts)} channels and the model has "
                f"{self.model.base.channels}; draw no more than it has (--prefixes.counts)."
            )
        if not self.steps or not all(1 <= each <= MOST_STEPS for each in self.steps):
            raise OptionError(f"steps are {self.steps}; each is from 1 to {MOST_STEPS}. Give one or more.")
        if not self.noise > 0:
            raise OptionError(f"noise is {self.noise}; it is a factor above 0. Give 1 to leave its size.")
        if not self.losses.velocity and not self.losses.of_samples:
            raise OptionError("every loss has the weight 0; there would be nothing to learn. Set one.")

    def stage_at(self, progress: float) -> FlowStage:
        """The stage in which a run is, by the fraction that is done."""
        return next((stage for stage in self.stages if progress < stage.until), self.stages[-1])
