"""Recipes for generators: what makes latents from text."""

from tubelet.generate.dit.train_config import DiTTrainConfig
from tubelet.train.config import Optimizer


def dit() -> DiTTrainConfig:
    """A diffusion transformer of 4.9 million weights that makes clips from text, on rendered scenes.

    ``tubelet train dit -o RUN --time-limit 1h``; scenes are rendered and encoded first, which takes some
    minutes and is no part of that time. With ``--data FOLDER --tokenizer NAME`` it learns from files of
    tokens with captions instead. Muon took 250 iterations to where AdamW at the same rate was after 400 (a
    quarter of the width, 16 clips); an iteration takes 1.4 times as long with it.
    """
    return DiTTrainConfig(optimizer=Optimizer(kind="muon", lr=2e-3, others=0.5, ema=0.998))
