"""Runs of priors: from crops to a folder that is read; the same when interrupted; better than they began."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from recorder import random_symbols, recorded

from tubelet.checkpoint import read_continuous, read_discrete
from tubelet.data.crops import open_crops
from tubelet.errors import CheckpointError, OptionError
from tubelet.models.klt.config import KLTConfig
from tubelet.models.motion.config import MotionConfig
from tubelet.priors.files import given_folder, read_arrays, read_prior
from tubelet.quantizers.config import FSQConfig, VQConfig
from tubelet.tokenizers.config import DiscreteConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.train.config import Optimizer
from tubelet.train.journal import read_log
from tubelet.train.loop import RunOptions
from tubelet.train.prior.config import PriorStage, PriorTrainConfig
from tubelet.train.prior.draws import draw_window
from tubelet.train.prior.export import export_prior, is_prior
from tubelet.train.prior.latents import encode_crops
from tubelet.train.prior.task import train_prior
from tubelet.types import Stride


def backbone(channels):
    return KLTConfig(name="tiny", patches=(Stride(2, 4, 4),), coefficients=(16,), channels=channels)


def discrete(folder, quantizer):
    config = DiscreteConfig(name="tiny", backbone=backbone(3), quantizer=quantizer)
    return str(DiscreteTokenizer.of(config).save(folder))


@pytest.fixture
def continuous(data, tmp_path):
    model = backbone(6).start(open_crops(data), seed=0)
    return str(ContinuousTokenizer(model, config=backbone(6)).save(tmp_path / "tiny"))


@pytest.fixture
def along_motion(tmp_path):
    """A tokenizer along motion with two random bases."""
    config = MotionConfig(name="linear", patch=Stride(2, 4, 4), channels=8)
    tokenizer = ContinuousTokenizer.of(config).requires_grad_(requires_grad=False)
    for seed, level in enumerate(tokenizer.model.transform.klts):
        rows, columns = level.basis.shape
        generator = torch.Generator().manual_seed(seed)
        level.basis.copy_(torch.linalg.qr(torch.randn(columns, rows, generator=generator))[0].T)
    return str(tokenizer.save(tmp_path / "linear"))


def config(tokenizer, **further):
    stages = (
        PriorStage(until=0.5, batch=2, steps=2, side=4, exact=False),
        PriorStage(batch=2, steps=3, side=6),
    )
    numbers = {"hidden": 8, "per_clip": 2, "iterations": 6, "optimizer": Optimizer(lr=1e-2)}
    return PriorTrainConfig(tokenizer=tokenizer, stages=stages, **numbers | further)


def test_a_run_of_a_latent_becomes_a_prior_of_its_tokenizer(data, tmp_path, continuous):
    train_prior(config(continuous), data=data, options=RunOptions(folder=tmp_path / "run"))
    assert is_prior(tmp_path / "run")
    prior = read_prior(export_prior(tmp_path / "run", tmp_path / "mine", data=data))
    assert prior.config.tokenizer_sha256 == read_continuous(continuous).sha256
    assert prior.config.groups == ((0, 2), (2, 4), (4, 6))
    assert prior.config.passes == (4, 4, 2)
    part = prior.for_part(steps=prior.config.steps)
    assert part.step_class == 4
    recorded(part, random_symbols((6, 3, 5, 4)))


def test_training_makes_the_same_symbols_cheaper(data, tmp_path, continuous):
    bits = {}
    for lr in (0.0, 1e-2):
        run = config(continuous, iterations=20, optimizer=Optimizer(lr=lr), maps=0.0)
        train_prior(run, data=data, options=RunOptions(folder=tmp_path / str(lr)))
        bits[lr] = sum(line["bits"]["all"] for line in read_log(tmp_path / str(lr))[-8:])
    assert bits[1e-2] < 0.995 * bits[0.0]


def test_a_run_of_tokens_becomes_a_prior_of_its_digits(data, tmp_path):
    tokenizer = discrete(tmp_path / "tiny", FSQConfig(levels=(5, 4, 3)))
    train_prior(config(tokenizer), data=data, options=RunOptions(folder=tmp_path / "run"))
    prior = read_prior(export_prior(tmp_path / "run", tmp_path / "mine", data=data))
    assert prior.config.bases == (5, 4, 3)
    assert prior.config.tokenizer_sha256 == read_discrete(tokenizer).sha256
    recorded(prior.for_part(bases=(5, 4, 3)), random_symbols((3, 3, 5, 4), bases=(5, 4, 3)))


def test_a_run_goes_on_as_an_unbroken_one(data, tmp_path, continuous, stop_after):
    whole = train_prior(config(continuous), data=data, options=RunOptions(folder=tmp_path / "whole"))
    broken = RunOptions(folder=tmp_path / "broken", on_iteration=stop_after(4))
    assert train_prior(config(continuous), data=data, options=broken).progress < 1
    resumed = RunOptions(folder=tmp_path / "broken", resume=True)
    state = train_prior(config(continuous), data=data, options=resumed)
    for name, weight in state.network.state_dict().items():
        assert torch.equal(weight, whole.network.state_dict()[name]), name


def test_latents_are_encoded_once(data, tmp_path, continuous):
    said = []
    for _ in range(2):
        latents = encode_crops(
            config(continuous), open_crops(data), tmp_path, on_crop=lambda done, of: said.append((done, of))
        )
    assert said == [(done, 6) for done in range(1, 7)]
    assert latents.values.shape == (6, 6, 5, 6, 6)
    assert latents.clips == ((0, 3), (1, 4), (2, 5))


def test_of_a_latent_along_motion_half_of_the_crops_are_as_files_of_some_coarseness_have_them(
    data, tmp_path, along_motion
):
    latents = encode_crops(config(along_motion), open_crops(data), tmp_path, on_crop=lambda *_: None)
    assert latents.part.name == "content"
    assert latents.values.shape == (6, 8, 5, 6, 6)
    priced = [step for step in latents.steps if step]
    assert len(priced) == 3
    assert len(set(priced)) == 3
    assert all(0.5 <= step <= 8 for step in priced)
    number = next(index for index, step in enumerate(latents.steps) if step)
    latents = replace(latents, clips=((number,),))
    window = draw_window(latents, config(along_motion), PriorStage(), step=0, index=0)
    assert window.step == latents.steps[number]


def test_a_run_of_a_latent_of_several_parts_becomes_a_prior_of_one_with_that_of_others_beside(
    data, tmp_path, along_motion
):
    train_prior(config(along_motion), data=data, options=RunOptions(folder=tmp_path / "run"))
    prior = read_prior(export_prior(tmp_path / "run", tmp_path / "mine", data=data))
    assert (prior.config.part, prior.config.ends[-1]) == ("content", 8)
    assert prior.config.beside == ()  # this one has a frame of vectors, and the prior that ships is for three
    assert "the content of linear" in (tmp_path / "mine" / "card.md").read_text()


def arrays_of(folder):
    return read_arrays(folder)[1]


@pytest.fixture
def trained(data, tmp_path, continuous):
    """The folder of a prior that a few iterations made."""
    run = config(continuous, optimizer=Optimizer(lr=3e-2, ema=0.5))
    train_prior(run, data=data, options=RunOptions(folder=tmp_path / "first"))
    return export_prior(tmp_path / "first", tmp_path / "mine", data=data)


def test_a_run_that_goes_on_from_a_prior_starts_with_its_numbers(data, tmp_path, continuous, trained):
    run = config(continuous, start=str(trained), iterations=1, optimizer=Optimizer(lr=0.0))
    train_prior(run, data=data, options=RunOptions(folder=tmp_path / "second"))
    again = arrays_of(export_prior(tmp_path / "second", tmp_path / "again", data=data))
    fresh = config(continuous, iterations=1, optimizer=Optimizer(lr=0.0))
    train_prior(fresh, data=data, options=RunOptions(folder=tmp_path / "third"))
    other = arrays_of(export_prior(tmp_path / "third", tmp_path / "fresh", data=data))
    found = arrays_of(trained)
    assert {name for name in found if not np.array_equal(found[name], again[name])} == set()
    assert {name for name in found if not np.array_equal(found[name], other[name])} >= {
        "group_0.wide",
        "group_2.near_1",
        "map.second",
    }


@pytest.mark.parametrize(
    ("changed", "message"), [({"hidden": 9}, r"--hidden\): 8 there and 9"), ({"four_passes": 0}, "passes")]
)
def test_a_prior_of_another_shape_is_not_gone_on_from(data, tmp_path, continuous, trained, changed, message):
    run = config(continuous, start=str(trained), **changed)
    with pytest.raises(OptionError, match=message):
        train_prior(run, data=data, options=RunOptions(folder=tmp_path / "second"))


def test_a_prior_of_motion_is_not_gone_on_from(data, tmp_path, continuous):
    run = config(continuous, start="klt-4x8x8-motion-prior")
    with pytest.raises(OptionError, match="counts and has no networks"):
        train_prior(run, data=data, options=RunOptions(folder=tmp_path / "second"))


def test_a_prior_that_is_not_there_is_named(data, tmp_path, continuous):
    run = config(continuous, start="no-such-prior")
    with pytest.raises(CheckpointError, match="no prior no-such-prior: it is neither one that ships"):
        train_prior(run, data=data, options=RunOptions(folder=tmp_path / "second"))
    assert not (tmp_path / "second").exists()  # nothing was encoded before


def test_a_run_is_resumed_without_what_it_started_from(data, tmp_path, continuous, trained, stop_after):
    run = config(continuous, start=str(trained))
    broken = RunOptions(folder=tmp_path / "second", on_iteration=stop_after(2))
    train_prior(run, data=data, options=broken)
    trained.rename(tmp_path / "elsewhere")
    resumed = RunOptions(folder=tmp_path / "second", resume=True)
    assert train_prior(run, data=data, options=resumed).progress == 1


def test_a_folder_here_may_be_called_as_a_shipped_prior(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained.rename(tmp_path / "tubelet-m-prior")
    assert read_arrays(given_folder("./tubelet-m-prior"))[0].hidden == 8
    assert read_arrays(given_folder("tubelet-m-prior"))[0].hidden == 80


@pytest.mark.parametrize("name", ["motion", "nonsense"])
def test_a_part_without_ordered_channels_has_no_network(data, tmp_path, along_motion, name):
    with pytest.raises(OptionError, match=f"part is '{name}'; ordered channels are in content"):
        encode_crops(config(along_motion, part=name), open_crops(data), tmp_path, on_crop=lambda *_: None)


def test_digits_in_no_order_have_no_prior(data, tmp_path):
    tokenizer = discrete(tmp_path / "tiny", VQConfig(codes=8))
    with pytest.raises(OptionError, match=r"quantises by vq to digits of .* Its files keep tables"):
        train_prior(config(tokenizer), data=data, options=RunOptions(folder=tmp_path / "run"))


@pytest.mark.parametrize("wrong", [{"maps": 1.5}, {"steps": (2.0, 1.0)}, {"hidden": 0}, {"stages": ()}])
def test_numbers_without_meaning_are_refused(wrong):
    with pytest.raises(OptionError):
        PriorTrainConfig(**wrong)
