"""Runs so short that they take a second."""

from dataclasses import replace

import pytest

from tubelet.models.klt.config import KLTConfig
from tubelet.quantizers.config import FSQConfig
from tubelet.train.tokenizer.config import LossWeights, Prefixes, Stage, TrainConfig
from tubelet.types import Stride


@pytest.fixture
def config() -> TrainConfig:
    """A run of eight steps; everything that draws at random is on."""
    model = KLTConfig(
        name="tiny",
        patches=(Stride(2, 4, 4),),
        coefficients=(16,),
        channels=8,
        width=12,
        encoder_blocks=1,
        decoder_blocks=1,
        variational=True,
    )
    return TrainConfig(
        model=model,
        stages=(
            Stage(until=0.5, batch=4, frames=5, side=16),
            Stage(batch=4, frames=3, side=16, encoder=False),
        ),
        losses=LossWeights(charbonnier=1.0, log_mse=0.1, difference=0.5, wavelet=0.1, kl=1e-3),
        prefixes=Prefixes(counts=(2, 8), weights=(1.0, 1.0), maps=0.5),
        noise=0.1,
        iterations=8,
        bfloat16=False,
        patience=2,
    )


@pytest.fixture
def discrete(config) -> TrainConfig:
    """The same of tokens of three digits."""
    return replace(
        config,
        model=replace(config.model, channels=3, variational=False),
        quantizer=FSQConfig(levels=(5, 4, 3)),
        losses=LossWeights(log_mse=0.1, log_difference=0.1),
        prefixes=Prefixes(counts=(3,), weights=(1.0,), maps=0.0),
        noise=0.0,
    )
