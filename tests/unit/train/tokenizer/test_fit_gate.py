"""What is shown of predictions is fitted to what is nearer to what came; known frames stay as they are."""

from dataclasses import replace

import pytest
import torch

import tubelet
from tubelet import checkpoint
from tubelet.data.crops import open_crops
from tubelet.errors import OptionError
from tubelet.models.klt.config import KLTConfig
from tubelet.models.klt.gate import KNOTS, gate_hats
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.tokenizer.fit_gate import Errors, best_table, fit_gate
from tubelet.types import Stride


@pytest.fixture(scope="module")
def predicting() -> ContinuousTokenizer:
    """An untrained tokenizer that predicts wildly."""
    config = KLTConfig(
        name="wild",
        patches=(Stride(4, 8, 8),),
        coefficients=(16,),
        channels=8,
        width=8,
        encoder_blocks=1,
        decoder_blocks=1,
        ahead=2,
    )
    tokenizer = ContinuousTokenizer.of(config).requires_grad_(requires_grad=False)
    generator = torch.Generator().manual_seed(0)
    for parameter in tokenizer.model.decoder.parameters():
        parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return tokenizer.eval()


def test_predictions_that_are_worth_nothing_are_not_shown(predicting, data):
    fitted = fit_gate(predicting, open_crops(data), windows=8)
    assert fitted.gated > fitted.predicted + 3
    assert fitted.gated >= fitted.still - 0.1
    assert fitted.tokenizer.config == replace(predicting.config, gate=True)


def test_known_frames_are_those_of_before_and_the_gate_is_stored(predicting, data, tmp_path):
    gated = fit_gate(predicting, open_crops(data), windows=8).tokenizer
    gated.save(tmp_path / "gated")
    loaded = tubelet.load(tmp_path / "gated")
    assert torch.equal(loaded.model.gate.table, gated.model.gate.table)
    assert checkpoint.read_continuous(tmp_path / "gated").sha256
    video = torch.rand(1, 3, 9, 24, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    latent = predicting.encode(video)
    assert torch.equal(loaded.encode(video), latent)
    size = {"frames": 9, "height": 24, "width": 24}
    before, after = (each.decode(latent, **size, ahead=2) for each in (predicting, loaded))
    assert torch.equal(before[:, :, :9], after[:, :, :9])
    assert not torch.allclose(before[:, :, 9:], after[:, :, 9:], atol=1e-2)


def test_an_open_gate_changes_nothing(predicting):
    gated = ContinuousTokenizer.of(replace(predicting.config, gate=True))
    ones = {"gate.table": torch.ones(len(KNOTS))}
    gated.load_weights(predicting.weights() | ones)
    latent = torch.randn(1, 8, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    size = {"frames": 9, "height": 24, "width": 24}
    before, after = (each.decode(latent, **size, ahead=2) for each in (predicting, gated))
    assert torch.allclose(before, after, atol=1e-5)


def test_shares_are_linear_between_knots_of_motion():
    levels = torch.tensor([0.0, 2.0**-3, 0.5, 1.0, 3.0, 1000.0]) * 2 / 255
    hats = gate_hats(levels.square().reshape(1, 1, 1, 1, -1))[0, 0, 0]
    assert torch.allclose(hats.sum(dim=-1), torch.ones(6))
    assert hats[0, 0] == 1
    assert hats[-1, -1] == 1
    assert hats[3].argmax() == KNOTS.index(0.0)


def test_the_table_is_the_best_of_all():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(40, 30, len(KNOTS), dtype=torch.float64, generator=generator)
    wanted = vectors @ torch.linspace(0, 1, len(KNOTS), dtype=torch.float64)
    wanted += torch.randn(40, 30, dtype=torch.float64, generator=generator)
    errors = Errors(
        wanted.square().mean(dim=1),
        (vectors * wanted[..., None]).mean(dim=1),
        torch.einsum("nik,nil->nkl", vectors, vectors) / 30,
    )
    best = best_table(errors)
    for _ in range(20):
        other = best + 0.05 * torch.randn(len(KNOTS), dtype=torch.float64, generator=generator)
        assert errors.decibels(other) < errors.decibels(best)


def test_what_cannot_be_fitted_is_refused(predicting, data):
    with pytest.raises(OptionError, match="has not learnt to predict"):
        fit_gate(tubelet.load("klt-4x8x8"), open_crops(data))
    with pytest.raises(OptionError, match="there are 7 windows of"):
        fit_gate(predicting, open_crops(data), windows=7)
    with pytest.raises(OptionError, match="gate blends what is predicted, and ahead is 0"):
        replace(predicting.config, ahead=0, gate=True).build()
