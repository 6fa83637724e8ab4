"""Generators on disk: what is written is read, and what was changed is not believed."""

import json
from dataclasses import replace

import pytest
import torch

from tubelet.errors import CheckpointError, OutputError
from tubelet.generate.checkpoint import FILES, find_generator, read_generator, save_generator
from tubelet.generate.dit.network import DiT


@pytest.fixture
def stored(network, tmp_path):
    single = DiT(network.config)
    single.load_state_dict(network.float().state_dict())
    network.double()
    return save_generator(single, tmp_path / "mine", card="# mine\n")


def change(folder, **changes):
    path = folder / "config.json"
    facts = json.loads(path.read_text())
    facts["config"] |= changes
    path.write_text(json.dumps(facts))


def test_a_generator_is_read_as_it_was_written(stored, network, tokenizer_folder):
    model = read_generator(stored)
    assert sorted(path.name for path in stored.iterdir()) == sorted(FILES)
    assert model.network.config == replace(network.config, name="mine")
    assert model.tokenizer.name == "tiny"
    for name, weights in model.network.state_dict().items():
        assert torch.allclose(weights.double(), network.state_dict()[name].double(), atol=1e-6), name


def test_a_path_is_the_folder_even_where_a_shipped_one_has_its_name(stored, monkeypatch):
    mine = stored.rename(stored.parent / "tubelet-dit")
    monkeypatch.chdir(mine.parent)
    for path in ("./tubelet-dit", "tubelet-dit/", mine):
        assert find_generator(path).samefile(mine)
    assert not find_generator(mine.name).samefile(mine)


def test_a_tokenizer_that_moved_is_named_with_its_generator_and_the_cure(stored, tokenizer_folder):
    change(stored, tokenizer="tiny")  # as a path is that was relative to another folder
    with pytest.raises(
        CheckpointError, match=r"mine needs the tokenizer tiny .* say where it lies \(--tokeni"
    ):
        read_generator(stored)
    assert read_generator(stored, tokenizer=tokenizer_folder).tokenizer.name == "tiny"


def test_nothing_is_replaced_unless_so_said(stored, network):
    with pytest.raises(OutputError):
        save_generator(network, stored, card="")
    save_generator(DiT(network.config), stored, card="", force=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks": 3}, "cannot be used"),
        ({"slots": 5}, "cannot be used"),
        ({"words": ["circle", "left", "red", "blue"]}, "they must agree"),
        ({"fps": 24.0}, "they must agree"),
        ({"width": 4096, "blocks": 128, "heads": 64}, "cannot be used|claims over"),
        ({"width": 33}, "makes no generator"),
        ({"width": "32"}, "must be a whole number"),
        ({"rows": 0}, "must be between"),
        ({"depth": 2}, "unknown to this program"),
        ({"tokenizer": "klt-4x8x8"}, "was trained with klt-4x8x8"),
    ],
)
def test_what_was_changed_is_not_believed(stored, changes, message):
    change(stored, **changes)
    with pytest.raises(CheckpointError, match=message):
        read_generator(stored)


def test_damage_is_named(stored, tmp_path):
    weights = stored / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-3] ^= 64
    weights.write_bytes(data)
    with pytest.raises(CheckpointError):
        read_generator(stored)
    (stored / "config.json").write_text('{"format": 1}')
    with pytest.raises(CheckpointError, match="is not a generator of tubelet"):
        read_generator(stored)
    (stored / "config.json").write_text('{"format": 2, "generator": "dit", "config": {}, "sha256": ""}')
    with pytest.raises(CheckpointError, match="Upgrade it"):
        read_generator(stored)
    with pytest.raises(CheckpointError, match="neither a shipped generator nor a folder"):
        find_generator(tmp_path / "nothing")
