"""Recipes for generators: what makes latents or tokens from text."""

from dataclasses import replace

from tubelet.generate.dit.train_config import DiTTrainConfig
from tubelet.generate.scenes import SceneData
from tubelet.generate.tokens.train_config import TokenTrainConfig
from tubelet.train.config import Optimizer


def dit() -> DiTTrainConfig:
    """A diffusion transformer of 4.9 million weights that makes clips from text, on rendered scenes.

    ``tubelet train dit -o RUN --time-limit 1h``; scenes are rendered and encoded first, which takes some
    minutes and is not part of that time. With ``--data FOLDER --tokenizer NAME`` it learns from files of
    tokens with captions instead. Muon took 250 iterations to where AdamW at the same rate was after 400 (a
    quarter of the width, 16 clips); an iteration takes 1.4 times as long with it.
    """
    return DiTTrainConfig(optimizer=Optimizer(kind="muon", lr=2e-3, others=0.5, ema=0.998))


def dit_two() -> DiTTrainConfig:
    """As `dit`, on scenes of one or two things that each have a motion of their own and never touch.

    ``tubelet train dit_two --start tubelet-dit -o RUN --time-limit 3h``; ``tubelet evaluate-generation NAME
    --things 2`` checks it. Times lie near noise, where it is settled which thing goes where.
    """
    scenes = SceneData(clips=60000, things=2, least_things=1)
    return replace(dit(), slots=14, time_mean=-1.6, scenes=scenes)


def masked() -> TokenTrainConfig:
    """A masked transformer of 4.8 million weights that makes tokens from text, on rendered scenes.

    ``tubelet train masked -o RUN --time-limit 50m``; scenes and data as for `dit`. Digits of tokens are
    hidden and said one by one, in patches of 2x2 positions.
    """
    return TokenTrainConfig(order="masked", optimizer=Optimizer(kind="muon", lr=2e-3, others=0.5, ema=0.998))


def ar() -> TokenTrainConfig:
    """An autoregressive transformer of tokens from text, whose likelihood is exact, on rendered scenes.

    ``tubelet train ar -o RUN --time-limit 50m``; scenes and data as for `dit`.
    """
    return TokenTrainConfig(
        order="autoregressive", blocks=5, optimizer=Optimizer(kind="muon", lr=2e-3, others=0.5, ema=0.998)
    )
