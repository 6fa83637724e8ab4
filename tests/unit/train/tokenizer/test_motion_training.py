"""A tokenizer along motion is trained: from its linear floor to an export that anybody can load."""

from dataclasses import replace

import pytest
import torch

from tubelet import checkpoint
from tubelet.data.crops import open_crops
from tubelet.errors import OptionError
from tubelet.models.motion.config import MotionConfig
from tubelet.recipes.fidelity import m, motion
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.loop import RunOptions
from tubelet.train.tokenizer.config import LossWeights, Prefixes
from tubelet.train.tokenizer.export import export_run
from tubelet.train.tokenizer.task import train
from tubelet.types import Stride

LINEAR = MotionConfig(name="linear", patch=Stride(2, 4, 4), channels=8)


@pytest.fixture
def linear(tmp_path) -> str:
    """A linear tokenizer along motion with two random bases."""
    tokenizer = ContinuousTokenizer.of(LINEAR).requires_grad_(requires_grad=False)
    for seed, level in enumerate(tokenizer.model.transform.klts):
        rows, columns = level.basis.shape
        generator = torch.Generator().manual_seed(seed)
        level.basis.copy_(torch.linalg.qr(torch.randn(columns, rows, generator=generator))[0].T)
    return str(tokenizer.save(tmp_path / "linear"))


@pytest.fixture
def moving(config, linear):
    """A run of eight iterations."""
    model = replace(LINEAR, name="tiny", coefficients=12, width=12, encoder_blocks=1, decoder_blocks=1)
    prefixes = Prefixes(counts=(2, 8), weights=(1.0, 1.0), maps=0.3, budgets=0.3)
    losses = LossWeights(log_mse=0.1)
    return replace(config, model=model, linear=linear, losses=losses, prefixes=prefixes, quantized=0.5)


def test_what_the_linear_model_lacks_is_fitted_to_the_crops(moving, data, linear):
    known = checkpoint.load(linear).model
    model = moving.model.start(open_crops(data), seed=0, linear=known)
    for level, own in zip(model.transform.klts, known.transform.klts, strict=True):
        assert torch.allclose(level.basis @ level.basis.T, torch.eye(12), atol=1e-5)
        assert torch.equal(level.basis[:8], own.basis)
    assert torch.equal(model.transform.deviation[:8], known.transform.deviation)


def test_a_run_moves_both_networks_and_exports_what_it_learnt(moving, data, tmp_path, monkeypatch):
    monkeypatch.setattr("tubelet.train.tokenizer.ready.MEASURED", 16)
    state = train(moving, data=data, options=RunOptions(folder=tmp_path / "run"))
    learnt = state.network.tokenizer.model
    assert learnt.corrections.encoder.leave.weight.any()
    assert learnt.corrections.decoder.leave.weight.any()
    tokenizer = checkpoint.load(export_run(tmp_path / "run", tmp_path / "mine"))
    assert tokenizer.config == replace(moving.model, name="mine")
    assert not torch.equal(tokenizer.model.corrections.latent_deviation, torch.ones(8))
    video = torch.rand(1, 3, 5, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    latents = tokenizer.encode_parts(video)
    assert latents["content"].shape == (1, 8, 3, 4, 4)
    assert tokenizer.decode_parts(latents, frames=5, height=16, width=16).shape == video.shape
    # And a run goes on from it.
    going_on = replace(moving, start=str(tmp_path / "mine"), linear=None, iterations=1)
    train(going_on, data=data, options=RunOptions(folder=tmp_path / "again"))


def test_the_recipe_differs_from_m_in_its_model_alone():
    assert replace(motion(), model=m().model, linear=m().linear) == m()


def test_tokens_are_of_one_part(discrete, moving):
    with pytest.raises(OptionError, match="tokens are of one"):
        replace(discrete, model=moving.model)
