import json
from dataclasses import replace

import pytest
import torch

from tubelet.checkpoint import (
    architecture,
    load,
    load_discrete,
    read_continuous,
    read_discrete,
)
from tubelet.errors import CheckpointError
from tubelet.quantizers.config import FSQConfig
from tubelet.tokenizers.config import DiscreteConfig
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.save import fingerprint


@pytest.fixture
def made(make_tokenizer):
    backbone = make_tokenizer(channels=3, width=8, encoder_blocks=1, decoder_blocks=1)
    config = DiscreteConfig(name="tokens", backbone=backbone.config, quantizer=FSQConfig(levels=(8, 5, 5)))
    tokenizer = DiscreteTokenizer.of(config)
    tokenizer.backbone.load_state_dict(backbone.tokenizer.state_dict())
    generator = torch.Generator().manual_seed(0)
    tokenizer.quantizer.fit(torch.randn(1000, 3, generator=generator), generator=generator)
    return config, tokenizer.eval().requires_grad_(requires_grad=False)


@pytest.fixture
def folder(made, tmp_path):
    _config, tokenizer = made
    return tokenizer.save(tmp_path / "tokens", card="# tokens\n")


def test_a_saved_tokenizer_comes_back_whole_and_gives_the_same_tokens(made, folder):
    config, tokenizer = made
    back = read_discrete(folder)
    assert back.tokenizer.config == config
    assert back.sha256 == fingerprint(config, tokenizer.weights())
    video = torch.rand(1, 3, 6, 9, 9, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert torch.equal(back.tokenizer.tokenize(video).digits, tokenizer.tokenize(video).digits)
    assert torch.equal(back.tokenizer(video), tokenizer(video))


def test_each_kind_is_loaded_by_its_own_function(folder, small_folder):
    assert architecture(folder) == "discrete"
    assert architecture(small_folder) == "continuous"
    with pytest.raises(CheckpointError, match=r"discrete tokenizer, and a continuous one .*load_discrete"):
        load(folder)
    with pytest.raises(CheckpointError, match=r"continuous tokenizer, and a discrete one .*tubelet encode"):
        load_discrete(small_folder)


def test_other_levels_are_another_tokenizer(made):
    config, tokenizer = made
    other = replace(config, quantizer=replace(config.quantizer, levels=(5, 5, 8)))
    weights = tokenizer.weights()
    assert fingerprint(other, weights) != fingerprint(config, weights)


def test_the_lead_frame_does_not_change_who_it_is(folder):
    plain = read_discrete(folder, lead_frame=False)
    assert not plain.tokenizer.lead_frame
    assert plain.sha256 == read_discrete(folder).sha256


@pytest.mark.parametrize(
    "numbers",
    [
        {"levels": [8, 5, 1 << 20]},
        {"levels": [8, "5", 5]},
        {"levels": 5},
        {"kind": "other"},
        {"kind": 3},
        {"more": 1},
        {"levels": [8, 5]},
    ],
)
def test_a_damaged_quantiser_is_named(folder, numbers):
    path = folder / "config.json"
    facts = json.loads(path.read_text())
    facts["config"]["quantizer"] |= numbers
    path.write_text(json.dumps(facts))
    with pytest.raises(CheckpointError, match=r"Fetch it again|Upgrade"):
        read_discrete(folder)


@pytest.mark.parametrize("config", [3, {"name": "x"}, {"name": 3, "backbone": {}, "quantizer": {}}])
def test_a_damaged_configuration_is_named(folder, config):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"config": config}))
    with pytest.raises(CheckpointError, match="Fetch it again"):
        read_discrete(folder)


def test_a_continuous_one_is_still_what_it_was(small_folder, small_made):
    assert read_continuous(small_folder).tokenizer.config == small_made.config
