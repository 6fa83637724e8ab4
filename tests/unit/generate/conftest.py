"""Tiny generators and what they are trained on."""

from dataclasses import replace

import pytest
import torch

from tubelet.generate.autoregressive.network import AutoregressiveTransformer
from tubelet.generate.checkpoint import TextToVideo
from tubelet.generate.dit.config import DiTConfig
from tubelet.generate.dit.network import DiT
from tubelet.generate.known_tokenizer import read_tokenizer
from tubelet.generate.masked.network import MaskedTransformer
from tubelet.generate.prompts import WordReader
from tubelet.generate.text import PromptVocabulary
from tubelet.generate.tokens.config import TokenConfig
from tubelet.models.klt.config import KLTConfig
from tubelet.quantizers.config import FSQConfig
from tubelet.tokenizers.config import DiscreteConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
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
        name="tiny",
        network=network,
        sha256="0" * 64,
        tokenizer=read_tokenizer(tokenizer_folder),
        prompts=WordReader(PromptVocabulary(WORDS), 4),
    )


TOKEN_NETWORKS = {"masked": MaskedTransformer, "autoregressive": AutoregressiveTransformer}


@pytest.fixture(scope="session")
def discrete_folder(tmp_path_factory):
    """A discrete tokenizer whose tokens have 24 values, two digits of 6 and 4."""
    backbone = KLTConfig(name="tiny", patches=(Stride(4, 8, 8),), coefficients=(16,), channels=2)
    config = DiscreteConfig(name="tokens", backbone=backbone, quantizer=FSQConfig(levels=(6, 4)))
    return str(DiscreteTokenizer.of(config).save(tmp_path_factory.mktemp("tokenizers") / "tokens"))


@pytest.fixture(scope="session")
def token_config(discrete_folder):
    return TokenConfig(
        name="tiny",
        tokenizer=discrete_folder,
        tokenizer_sha256=read_tokenizer(discrete_folder).sha256,
        bases=(6, 4),
        steps=3,
        rows=4,
        columns=6,
        fps=30.0,
        words=WORDS,
        slots=4,
        width=32,
        blocks=2,
        heads=2,
    )


def random_token_network(config, order):
    """A network of random weights, in float64, so that order of sums does not show."""
    made = TOKEN_NETWORKS[order](config, seed=1)
    generator = torch.Generator().manual_seed(0)
    for weights in made.parameters():
        weights.data += 0.2 * torch.randn(weights.shape, generator=generator)
    return made.double().eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="session", params=list(TOKEN_NETWORKS))
def token_network(request, token_config):
    return random_token_network(token_config, request.param)


@pytest.fixture(scope="session")
def masked_network(token_config):
    return random_token_network(token_config, "masked")


@pytest.fixture(scope="session")
def ar_network(token_config):
    return random_token_network(token_config, "autoregressive")


@pytest.fixture(scope="session")
def tiny_ar(token_config):
    """A network whose clips are so small that all of them can be tried."""
    return random_token_network(replace(token_config, bases=(3, 2), patch=1), "autoregressive")


@pytest.fixture
def token_model(token_network, discrete_folder):
    return TextToVideo(
        name="tiny",
        network=token_network,
        sha256="0" * 64,
        tokenizer=read_tokenizer(discrete_folder),
        prompts=WordReader(PromptVocabulary(WORDS), 4),
    )
