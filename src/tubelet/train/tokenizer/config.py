"""Every number of a tokenizer's training, in frozen dataclasses; a recipe is a function that returns one."""

from dataclasses import dataclass, field

from tubelet.errors import OptionError
from tubelet.models.klt.config import KLTConfig
from tubelet.models.motion.config import MotionConfig
from tubelet.quantizers.config import QuantizerConfig
from tubelet.train.config import LoopConfig, check_losses
from tubelet.train.perceptual import check_perceptual


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of a run.

    Attributes:
        until: fraction of the run at which it ends; that of the last stage is 1.
        batch: clips per iteration, over all processes.
        frames: frames per clip.
        side: rows and columns of pixels per clip.
        encoder: whether the encoder is trained; frozen, the latent stays what it is.
        adversarial: weight of the adversarial loss; without one no discriminator is trained.
    """

    until: float = 1.0
    batch: int = 4
    frames: int = 17
    side: int = 64
    encoder: bool = True
    adversarial: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """What each loss counts, and the constants of losses; a weight of zero leaves a loss out.

    Attributes:
        charbonnier: of `losses.reconstruction.charbonnier`.
        log_mse: of `losses.reconstruction.log_mse`.
        difference: of `losses.temporal.frame_difference`.
        log_difference: of `losses.temporal.log_frame_difference`.
        wavelet: of `losses.wavelet`.
        kl: of `losses.regularisation.kl_standard_normal`, in nats per value of the latent; the tokenizer must
            be variational.
        rate: of what the bits of rounded clips (`TrainConfig.quantized`) are worth, over their error; with
            the weight of `log_mse` it is the exchange that files make (decision 0056).
        perceptual: of `losses.perceptual`; needs the weights of its network (`TrainConfig.perceptual`).
        equivariance: of `log_mse` between what a turned latent decodes to and the clip turned alike
            (`train.tokenizer.turns`); decoding once more takes half as long again.
        log_floor: squared error at which `log_mse` and `log_difference` start to be content; the default is
            that of 51 dB: flat clips would drown the others.
        wavelet_levels: levels of the wavelet transform that `wavelet` compares.
        perceptual_frames: frames of each clip that the perceptual network sees: on all of them it would cost
            ten times the model.
        gradient_penalty: gamma of R3GAN's gradient penalties, in the loss of the discriminator.
    """

    charbonnier: float = 0.0
    log_mse: float = 0.0
    difference: float = 0.0
    log_difference: float = 0.0
    wavelet: float = 0.0
    kl: float = 0.0
    rate: float = 0.0
    perceptual: float = 0.0
    equivariance: float = 0.0
    log_floor: float = 3e-5
    wavelet_levels: int = 2
    perceptual_frames: int = 4
    gradient_penalty: float = 1.0

    def __post_init__(self) -> None:
        check_losses(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefixes:
    """How many channels the decoder sees in training (nested dropout, Rippel et al. 2014, arXiv:1402.0915).

    Attributes:
        counts: numbers of channels to draw from.
        weights: how often each is drawn, in any unit.
        maps: fraction of the clips whose positions have numbers of their own, from none to all channels,
            smooth over a few positions.
        blocks: fraction of the clips with one number per block of one to eight positions a side.
        budgets: fraction of the clips whose channels are spent where the latent's energy is
            (`tokenizers.allocation`), at a mean number that is drawn for the clip.
    """

    counts: tuple[int, ...] = (4, 8, 16, 32, 48, 64)
    weights: tuple[float, ...] = (3.0, 2.0, 6.0, 3.0, 2.0, 4.0)
    maps: float = 0.2
    blocks: float = 0.0
    budgets: float = 0.0

    def __post_init__(self) -> None:
        if len(self.counts) != len(self.weights) or not self.counts or not sum(self.weights) > 0:
            raise OptionError(
                f"counts are {self.counts} and weights {self.weights}; every number of channels needs one "
                "weight, and their sum must be positive."
            )
        fractions = (self.maps, self.blocks, self.budgets)
        if min(self.counts) < 1 or min(self.weights) < 0 or min(fractions) < 0 or not sum(fractions) <= 1:
            raise OptionError(
                f"counts are {self.counts}, weights {self.weights}; maps, blocks, budgets are {fractions}. "
                "Counts start at 1, weights at 0, and the three are fractions whose sum is at most 1."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(LoopConfig):
    """A complete training run of a tokenizer.

    Attributes:
        model: what is trained; with a quantiser, its backbone.
        quantizer: what makes tokens of the latent; none for a continuous tokenizer.
        linear: the linear tokenizer that it starts as, by name or folder; its coefficients come first, and
            those that follow are fitted to the data. None fits all of them.
        start: a trained tokenizer of the same model to go on from, by name or folder, not a linear one; if it
            has more channels, the first are taken.
        stages: what is trained on, one after the other.
        losses: weights of the losses.
        prefixes: how many channels the decoder sees.
        noise: largest standard deviation of noise on the latent before it is decoded, in those of the latent;
            every clip draws its own, so the decoder learns to bear a generator's errors.
        quantized: fraction of the clips whose latent is rounded as a ``.tube`` file rounds it, at a step that
            is drawn for the clip, before it is decoded; gradients pass as if it were not.
        quantizer_steps: smallest and largest of these steps, in the unit of ``tubelet encode --step``; their
            logarithm is even.
        scenes: share of the clips that are rendered (`data.scenes`) in place of windows of the data.
        ahead_weight: what losses of steps to come count beside those of steps that are known, in a model that
            predicts (``model.ahead``): of every batch a number of last steps, none to all but two, is dropped
            from the latent and predicted.
        transform: whether the KLT is trained along; at a high rate that falls below the linear floor.
        perceptual: file of the perceptual network's weights.
        perceptual_sha256: what that file must be.
    """

    model: KLTConfig | MotionConfig
    quantizer: QuantizerConfig | None = None
    linear: str | None = None
    start: str | None = None
    stages: tuple[Stage, ...] = (Stage(),)
    losses: LossWeights = field(default_factory=lambda: LossWeights(charbonnier=1.0))
    prefixes: Prefixes = field(default_factory=Prefixes)
    noise: float = 0.0
    quantized: float = 0.0
    quantizer_steps: tuple[float, float] = (0.5, 8.0)
    scenes: float = 0.0
    ahead_weight: float = 0.5
    transform: bool = False
    perceptual: str | None = None
    perceptual_sha256: str | None = None

    def __post_init__(self) -> None:
        ends = [stage.until for stage in self.stages]
        if not ends or ends != sorted(ends) or ends[-1] != 1.0:
            raise OptionError(f"stages end at {ends}; ends must rise to 1, the whole run.")
        if max(self.prefixes.counts) > self.model.channels:
            raise OptionError(
                f"prefixes go to {max(self.prefixes.counts)} channels and the model has "
                f"{self.model.channels}; draw no more than it has (--prefixes.counts)."
            )
        least, most = self.quantizer_steps
        if not 0 <= self.quantized <= 1 or not 0 < least <= most:
            raise OptionError(
                f"quantized is {self.quantized} and quantizer_steps are {self.quantizer_steps}; the one is a "
                "fraction from 0 to 1, the others are positive and rise."
            )
        if self.model.ahead and (self.quantizer is not None or self.ahead_weight < 0):
            raise OptionError(
                f"ahead is {self.model.ahead}, ahead_weight {self.ahead_weight}, and the quantizer is "
                f"{self.quantizer}; continuous tokenizers predict, and the weight is not negative."
            )
        if self.losses.rate and (not self.quantized or self.quantizer is not None):
            raise OptionError(
                f"the weight of rate is {self.losses.rate}, quantized is {self.quantized}, the quantizer is "
                f"{self.quantizer}; bits are those of rounded latents of a continuous tokenizer. Set "
                "quantized, or the weight to 0."
            )
        if self.losses.equivariance and (not isinstance(self.model, KLTConfig) or self.model.ahead):
            raise OptionError(
                f"the weight of equivariance is {self.losses.equivariance}, and the model {self.model.name}; "
                "a latent that is turned has one part and predicts nothing. Set the weight to 0."
            )
        if self.losses.kl and not self.model.variational:
            raise OptionError("the weight of kl is set and the model is not variational. Set both or none.")
        self._check_tokens()
        check_perceptual(self)

    def stage_at(self, progress: float) -> Stage:
        """The stage in which a run is, by the fraction that is done."""
        return next((stage for stage in self.stages if progress < stage.until), self.stages[-1])

    def _check_tokens(self) -> None:
        """A quantiser takes the whole latent of one part."""
        if self.quantizer is None:
            return
        if not isinstance(self.model, KLTConfig):
            raise OptionError(
                f"the quantizer is {self.quantizer} and the model has several parts; tokens are of one. "
                "Leave the quantizer out."
            )
        if self.model.variational:
            raise OptionError("the model is variational and has a quantiser; a token is not a distribution.")
        if set(self.prefixes.counts) != {self.model.channels}:
            raise OptionError(
                f"prefixes are {self.prefixes.counts} and the quantiser needs all {self.model.channels}; "
                "draw that number only."
            )
