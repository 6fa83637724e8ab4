"""Recipes for a flow: what a decoder's frames lack, made up out of noise."""

from dataclasses import replace

from tubelet.models.flow.config import FlowConfig
from tubelet.recipes.fidelity import SMALL
from tubelet.train.config import Optimizer
from tubelet.train.flow.config import FlowLosses, FlowStage, FlowTrainConfig


def flow() -> FlowTrainConfig:
    """Refining: a flow over the residual of `tubelet-s`, by its velocity; 0.02 MFLOP per pixel and step.

    ``tubelet train flow --data DATA -o RUN --time-limit 20m``. After it, `flow_perceptual`: a velocity that
    was trained with squared errors alone is right in many steps, and the mean again in one.
    """
    return FlowTrainConfig(
        model=FlowConfig(name="tubelet-flow", base=SMALL, blocks=8),
        stages=(FlowStage(batch=8, frames=9, side=64),),
        optimizer=Optimizer(kind="muon", lr=1.5e-3, clip=1.0, ema=0.998),
    )


def flow_perceptual() -> FlowTrainConfig:
    """Refining, second part: the flow of `flow`, by what its sampler makes of weaker noise in two steps.

    ``tubelet train flow_perceptual --start FLOW --data DATA -o RUN --time-limit 80m --perceptual FILE
    --perceptual_sha256 SHA256``: FLOW is what `tubelet export-checkpoint` made of a run of `flow`. To train
    further what this recipe made, leave the noise as it is: ``--noise 1``.
    """
    return replace(
        flow(),
        start="tubelet-flow",
        noise=0.4,
        stages=(FlowStage(batch=6, frames=5, side=64),),
        losses=FlowLosses(
            perceptual=16.0, log_detail=0.2, log_mse=0.5, log_difference=0.1, perceptual_frames=1
        ),
        steps=(1, 2),
        optimizer=Optimizer(kind="muon", lr=3e-3, clip=1.0, ema=0.99),
    )
