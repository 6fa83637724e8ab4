"""Tiny generators and what they are trained on."""

import pytest
import torch

from tubelet.generate.captioned import read_tokenizer
from tubelet.generate.dit.config import DiTConfig
from tubelet.generate.dit.files import TextToVideo
from tubelet.generate.dit.network import DiT
from tubelet.models.klt.config import KLTConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Stride

WORDS = ("circle", "left", "red", "square")


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory):
    config = KLTConfig(name="tiny", patches=(Stride(4, 8, 8),), coefficients=(16,), channels=4)
    return str(ContinuousTokenizer.of(config).save(tmp_path_factory.mktemp("tokenizers") / "tiny"))


@pytest.fixture(scope="session")
def network(tokenizer_folder):
    """A network of random weights, in float64, so that order of sums does not show."""
    config = DiTConfig(
        name="tiny",
        tokenizer=tokenizer_folder,
        tokenizer_sha256=read_tokenizer(tokenizer_folder).sha256,
        channels=4,
        steps=5,
        rows=4,
        columns=6,
        fps=30.0,
        words=WORDS,
        slots=4,
        width=32,
        blocks=2,
        heads=2,
    )
    made = DiT(config, seed=1)
    generator = torch.Generator().manual_seed(0)
    for weights in made.parameters():
        weights.data += 0.1 * torch.randn(weights.shape, generator=generator)
    made.deviation.copy_(torch.tensor([2.0, 1.0, 0.5, 0.25]))
    made.mean.copy_(torch.tensor([0.5, 0.0, -0.5, 0.0]))
    return made.double().eval().requires_grad_(requires_grad=False)


@pytest.fixture
def model(network, tokenizer_folder):
    return TextToVideo(
        name="tiny", network=network, sha256="0" * 64, tokenizer=read_tokenizer(tokenizer_folder)
    )
