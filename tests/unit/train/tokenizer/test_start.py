from dataclasses import replace

import pytest
import torch

from tubelet.data.crops import open_crops
from tubelet.data.feed import Draw, draw_batch
from tubelet.errors import OptionError
from tubelet.models.klt import start
from tubelet.models.klt.config import KLTConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.tokenizer.batches import to_video
from tubelet.types import Stride

DEEP = KLTConfig(
    name="deep",
    patches=(Stride(2, 4, 4), Stride(1, 2, 2)),
    coefficients=(12, 10),
    channels=10,
    lead_frame=False,
)


def test_a_tokenizer_starts_as_the_klt_of_its_crops(config, data):
    crops = open_crops(data)
    tokenizer = config.model.start(crops, seed=0)
    basis = tokenizer.transform.klts[0].basis
    assert torch.allclose(basis @ basis.T, torch.eye(16), atol=1e-5)
    video = to_video(draw_batch(crops, Draw(batch=18, frames=9, side=24), seed=0, step=0, indices=range(18)))
    latent = ContinuousTokenizer(tokenizer).encode(video)[:, :, 1:].detach()
    assert latent.mean(dim=(0, 2, 3, 4)).abs().max() < 0.2
    assert (latent.std(dim=(0, 2, 3, 4)) - 1).abs().max() < 0.3


def test_a_cascade_is_fitted_level_by_level(data):
    tokenizer = DEEP.start(open_crops(data), seed=0)
    for level in tokenizer.transform.klts:
        assert torch.allclose(level.basis @ level.basis.T, torch.eye(len(level.basis)), atol=1e-5)
    assert (tokenizer.transform.deviation.diff() <= 0).all()


def test_the_same_seed_gives_the_same_start_and_leaves_the_global_generator_alone(config, data):
    crops = open_crops(data)
    before = torch.get_rng_state()
    one, other = (config.model.start(crops, seed=1).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(torch.get_rng_state(), before)


def test_as_many_patches_as_are_asked_for_come_from_all_crops(config, data, monkeypatch):
    monkeypatch.setattr(start, "PATCHES", 36)
    crops = open_crops(data)
    parts = list(start._vectors(config.model.build().transform, 0, crops, 0))
    assert [len(part) for part in parts] == [2] * len(crops)


def test_a_linear_tokenizer_is_taken_over_and_extended(config, data):
    crops = open_crops(data)
    known = replace(config.model, coefficients=(8,), variational=False).start(crops, seed=0)
    tokenizer = config.model.start(crops, seed=0, linear=known)
    basis = tokenizer.transform.klts[0].basis
    assert torch.equal(basis[:8], known.transform.klts[0].basis)
    assert torch.equal(tokenizer.transform.deviation[:8], known.transform.deviation)
    assert torch.allclose(basis @ basis.T, torch.eye(16), atol=1e-5)
    whole = config.model.start(crops, seed=0).transform
    assert torch.allclose(tokenizer.transform.deviation[8:], whole.deviation[8:], rtol=0.02)


def test_a_linear_tokenizer_with_all_coefficients_is_taken_over_without_a_look_at_the_crops(
    config, data, monkeypatch
):
    crops = open_crops(data)
    known = config.model.start(crops, seed=0)
    monkeypatch.setattr(start, "_vectors", lambda *_: pytest.fail("crops were read"))
    cascade = config.model.start(crops, seed=0, linear=known).transform.state_dict()
    assert all(torch.equal(cascade[name], value) for name, value in known.transform.state_dict().items())


def test_another_patch_cannot_be_extended(config, data):
    crops = open_crops(data)
    other = replace(config.model, patches=(Stride(1, 4, 4),)).start(crops, seed=0)
    with pytest.raises(OptionError, match="only the last level can be extended"):
        config.model.start(crops, seed=0, linear=other)
