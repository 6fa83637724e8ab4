"""Recipes for tokenizers whose reconstruction is near in squared error.

All of them start as a shipped linear tokenizer, move the matrices inside blocks with Muon, and minimise the
logarithm of each clip's squared error, whose gradient is that of the mean PSNR; docs/lab-log.md has what else
was tried. Crops grow while the run goes on: small ones teach most per second, large ones have fewer borders.
"""

from dataclasses import replace

from tubelet.models.klt.config import KLTConfig
from tubelet.models.motion.config import MotionConfig
from tubelet.train.config import Optimizer
from tubelet.train.tokenizer.config import LossWeights, Stage, TrainConfig
from tubelet.types import Stride

CPU_STAGES = (
    Stage(until=0.5, batch=8, frames=17, side=64),
    Stage(until=0.8, batch=4, frames=17, side=96),
    Stage(until=1.0, batch=2, frames=17, side=128),
)
"""About 560 thousand pixels per step: what two cores turn over in half a second."""

MEDIUM = KLTConfig(
    name="tubelet-m", coefficients=(256,), channels=64, width=192, encoder_blocks=2, decoder_blocks=6
)
SMALL = replace(MEDIUM, name="tubelet-s", width=128, decoder_blocks=4)


def m() -> TrainConfig:
    """Medium, the usual one: 4x8x8 pixels per position, causal, 0.05 MFLOP per pixel.

    ``tubelet train m --data DATA -o RUN --time-limit 47m``: on two busy cores 5309 steps, +1.35 dB over the
    linear tokenizer at 16 channels (short256x33, docs/lab-log.md).
    """
    return TrainConfig(
        model=MEDIUM,
        linear="klt-4x8x8",
        stages=CPU_STAGES,
        losses=LossWeights(log_mse=0.1),
        optimizer=Optimizer(kind="muon", lr=1.5e-3, clip=0.1),
    )


def s() -> TrainConfig:
    """Small: as medium, at 0.02 MFLOP per pixel.

    ``tubelet train s --data DATA -o RUN --time-limit 15m``
    """
    return replace(m(), model=SMALL)


def image() -> TrainConfig:
    """The spatial-only baseline: 1x8x8 pixels per position, and every frame by itself.

    ``tubelet train image --data DATA -o RUN --time-limit 15m``
    """
    model = KLTConfig(
        name="tubelet-image",
        patches=(Stride(1, 8, 8),),
        coefficients=(192,),
        channels=64,
        width=128,
        encoder_blocks=2,
        decoder_blocks=4,
        memory=0,
    )
    stages = tuple(replace(stage, frames=5) for stage in CPU_STAGES)
    return replace(m(), model=model, linear="klt-1x8x8", stages=stages)


def m16() -> TrainConfig:
    """Medium at 16 channels only.

    ``tubelet train m16 --data DATA -o RUN --time-limit 70m``; with ``--start tubelet-m`` it takes the first
    16 channels of that and specialises them: +2.60 dB over the linear tokenizer (short256x33).
    """
    medium = m()
    prefixes = replace(medium.prefixes, counts=(16,), weights=(1.0,), maps=0.0)
    return replace(medium, model=replace(medium.model, name="tubelet-m16", channels=16), prefixes=prefixes)


def m_vae() -> TrainConfig:
    """Medium as a VAE: the encoder gives a distribution, for generators that learn from samples.

    From `tubelet-m` on, by a divergence of 1e-3 nats per value: up to that it costs no quality.
    ``tubelet train m_vae --data DATA -o RUN --time-limit 45m``
    """
    medium = m()
    return replace(
        medium,
        model=replace(medium.model, name="tubelet-m-vae", variational=True),
        start="tubelet-m",
        losses=replace(medium.losses, kl=1e-3),
        optimizer=replace(medium.optimizer, lr=7e-4),
    )


def m16_vae() -> TrainConfig:
    """Medium at 16 channels as a VAE, from `tubelet-m16` on.

    ``tubelet train m16_vae --data DATA -o RUN --time-limit 20m``
    """
    base = m16()
    return replace(
        base,
        model=replace(base.model, name="tubelet-m16-vae", variational=True),
        start="tubelet-m16",
        losses=replace(base.losses, kl=1e-3),
        optimizer=replace(base.optimizer, lr=7e-4),
    )


def m16_equivariant() -> TrainConfig:
    """Equivariant: `m16` whose latent may be mirrored, turned upside down or halved (arXiv:2502.09509).

    ``tubelet train m16_equivariant --data DATA -o RUN --time-limit 20m``; what that costs and gives stands in
    docs/multiplier.md.
    """
    base = m16()
    return replace(
        base,
        model=replace(base.model, name="tubelet-m16-equivariant"),
        start="tubelet-m16",
        losses=replace(base.losses, equivariance=0.1),
        optimizer=replace(base.optimizer, lr=7e-4),
    )


def m_robust() -> TrainConfig:
    """Medium whose decoder bears noise on the latent, such as a generator's errors.

    Only the decoder is trained in the second half: the latent stays that of the first.
    ``tubelet train m_robust --data DATA -o RUN --time-limit 70m``
    """
    medium = m()
    stages = (CPU_STAGES[0], *(replace(stage, encoder=False) for stage in CPU_STAGES[1:]))
    return replace(medium, model=replace(medium.model, name="tubelet-m-robust"), noise=0.2, stages=stages)


def m_rate() -> TrainConfig:
    """Medium for files: rounded latents, and what their bits are worth beside the error.

    From `tubelet-m` on; half of the clips are rounded at the steps of qualities 14 to 36, half have a budget
    (a third was too few). Files take 13.7 % fewer bits at equal PSNR after two hours of a core.
    ``tubelet train m_rate --data DATA -o RUN --time-limit 120m``
    """
    medium = m()
    return replace(
        medium,
        model=replace(medium.model, name="tubelet-m-rate"),
        start="tubelet-m",
        stages=(Stage(until=0.6, batch=4, frames=17, side=96), Stage(batch=2, frames=17, side=128)),
        losses=LossWeights(log_mse=0.1, log_difference=0.03, rate=0.1),
        prefixes=replace(medium.prefixes, maps=0.1, budgets=0.5),
        quantized=0.5,
        quantizer_steps=(1.0, 5.5),
        optimizer=Optimizer(kind="muon", lr=7e-4, clip=0.1),
    )


def motion() -> TrainConfig:
    """Medium along motion: as `m`, around the linear tokenizer along motion, whose vectors its networks know.

    ``tubelet train motion --data DATA -o RUN --time-limit 2h``; with ``--start tubelet-motion`` it goes on.
    """
    medium = m()
    model = MotionConfig(
        name="tubelet-motion",
        coefficients=224,  # with 256 the weights took more than 8 MB
        channels=64,
        width=192,
        encoder_blocks=2,
        decoder_blocks=6,
    )
    return replace(medium, model=model, linear="klt-4x8x8-motion")


def m_perceptual() -> TrainConfig:
    """Medium with a decoder that is trained against a discriminator at last: sharper, and further in PSNR.

    These weights and those of `m` are never compared in one table.
    ``tubelet train m_perceptual --data DATA -o RUN --time-limit 70m``
    """
    medium = m()
    stages = (
        Stage(until=0.5, batch=8, frames=17, side=64),
        Stage(until=0.85, batch=4, frames=17, side=96, encoder=False),
        Stage(until=1.0, batch=4, frames=5, side=96, encoder=False, adversarial=0.01),
    )
    return replace(medium, model=replace(medium.model, name="tubelet-m-perceptual"), stages=stages)


PREDICTIVE_STAGES = (
    Stage(until=0.4, batch=4, frames=17, side=64),
    Stage(until=0.7, batch=2, frames=33, side=64),
    Stage(until=1.0, batch=2, frames=33, side=64, encoder=False),
)
"""Half as many pixels per iteration as in `CPU_STAGES`; long clips have more steps to predict."""


def predictive() -> TrainConfig:
    """Predicting: `m16` that also decodes the steps after the last (PV-VAE, arXiv:2605.02134).

    Half of the clips are rendered scenes. The last steps of a batch, none to all but two, are dropped from
    the latent and decoded all the same; in the last three tenths only the decoder learns.
    ``tubelet train predictive --data DATA -o RUN --time-limit 60m``
    """
    base = m16()
    return replace(
        base,
        model=replace(base.model, name="tubelet-predict", ahead=7),
        start="tubelet-m16",
        stages=PREDICTIVE_STAGES,
        losses=LossWeights(log_mse=0.1, log_difference=0.03),
        scenes=0.5,
    )
