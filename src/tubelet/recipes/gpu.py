"""Recipes for one large GPU, where the clips are fewer than a run can look at.

A step costs little there and fixed costs weigh: batches are sixteen times those of a CPU and more, and the
weights are as many as a medium tokenizer may have, 16 MB in a file.
"""

from dataclasses import replace

from tubelet.recipes import fidelity
from tubelet.train.tokenizer.config import Stage, TrainConfig

GPU_STAGES = (
    Stage(until=0.5, batch=128, frames=17, side=64),
    Stage(until=0.8, batch=64, frames=17, side=96),
    Stage(until=1.0, batch=64, frames=17, side=128),
)
"""9 to 18 million pixels per step."""


def m_gpu() -> TrainConfig:
    """Medium for half an hour of one GPU: one block deeper, batches of 64 to 128, 0.06 MFLOP per pixel.

    ``tubelet train m_gpu --data DATA -o RUN --time-limit 28m``, and the same with ``--resume`` after a break;
    scripts/gpu has it in pieces.
    """
    medium = fidelity.m()
    model = replace(medium.model, name="tubelet-m-gpu", decoder_blocks=medium.model.decoder_blocks + 1)
    return replace(medium, model=model, stages=GPU_STAGES, save_seconds=120.0)
