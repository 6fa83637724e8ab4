"""Recipes for generators: what makes latents from text."""

from tubelet.generate.dit.train_config import DiTTrainConfig
from tubelet.train.config import Optimizer


def dit() -> DiTTrainConfig:
    """A diffusion transformer of 4.9 million weights that makes clips from text, on rendered scenes.

    ``tubelet train dit -o RUN --time-limit 1h``; scenes are rendered and encoded first, which takes some
    minutes and is no part of that time. With ``--data FOLDER --tokenizer NAME`` it learns from files of
    tokens with captions instead.
    """
    return DiTTrainConfig(optimizer=Optimizer(lr=8e-4, ema=0.998))
