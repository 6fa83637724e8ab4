"""Priors on disk: read with suspicion, known by their fingerprint, and exact or refused."""

import json

import numpy as np
import pytest
from random_priors import parts_of, random_network
from safetensors.numpy import load_file, save_file

from tubelet.errors import CheckpointError
from tubelet.priors.exact import EXACT
from tubelet.priors.files import fingerprint, prior_for, prior_of_file, read_prior, save_prior


@pytest.fixture
def folder(tmp_path):
    config, arrays = parts_of(random_network())
    return save_prior(config, arrays, tmp_path / "random", card="# random\n")


def changed(folder, name, change):
    """The prior of a folder with one array changed and a fingerprint that agrees."""
    arrays = load_file(folder / "weights.safetensors")
    arrays[name] = change(arrays[name].copy())
    save_file(arrays, folder / "weights.safetensors")
    facts = json.loads((folder / "config.json").read_text())
    facts["sha256"] = fingerprint(read_prior_config(facts), arrays)
    (folder / "config.json").write_text(json.dumps(facts))
    return folder


def read_prior_config(facts):
    config, _ = parts_of(random_network())
    assert facts["config"]["ends"] == list(config.ends)
    return config


def test_what_is_saved_is_read(folder):
    config, arrays = parts_of(random_network())
    prior = read_prior(folder)
    assert prior.config == config
    assert prior.sha256 == fingerprint(config, arrays)
    assert {path.name for path in folder.iterdir()} == {"config.json", "weights.safetensors", "card.md"}


def test_a_name_is_no_part_of_a_fingerprint_and_every_number_is():
    config, arrays = parts_of(random_network())
    other, _ = parts_of(random_network(), name="other")
    assert fingerprint(config, arrays) == fingerprint(other, arrays)
    arrays["map.turn"][1, 0] += 1
    assert fingerprint(config, arrays) != fingerprint(other, parts_of(random_network())[1])


def test_a_changed_number_is_refused(folder):
    arrays = load_file(folder / "weights.safetensors")
    arrays["group_0.turn"][0, 0] += 1
    save_file(arrays, folder / "weights.safetensors")
    with pytest.raises(CheckpointError, match="must agree"):
        read_prior(folder)


@pytest.mark.parametrize("name", ["group_0.wide", "group_1.second", "group_2.last", "map.linear_before"])
def test_weights_whose_sums_could_be_inexact_are_refused(folder, name):
    with pytest.raises(CheckpointError, match=rf"may reach \d+; below {EXACT} float32 is exact"):
        read_prior(changed(folder, name, lambda array: np.full_like(array, 32767)))


def test_sums_are_allowed_up_to_the_last_exact_one(folder):
    """One more in one bias, and it is refused."""
    arrays = load_file(folder / "weights.safetensors")
    row = np.abs(arrays["map.second"].astype(np.int64)).sum(axis=0)[0] * 255
    shift = int(arrays["map.second_shift"][0])
    left = EXACT - 1 - int(row) - (1 << shift >> 1)

    def biased(extra):
        def change(array):
            array[0] = left + extra
            return array

        return change

    read_prior(changed(folder, "map.second_bias", biased(0)))
    with pytest.raises(
        CheckpointError, match=f"row 0 of layer second of the map of random may reach {EXACT}"
    ):
        read_prior(changed(folder, "map.second_bias", biased(1)))


def test_a_table_that_is_none_is_refused(folder):
    def change(array):
        array[0] += 1
        return array

    with pytest.raises(CheckpointError, match="tables of random are damaged"):
        read_prior(changed(folder, "open_frequencies", change))


def test_other_shapes_are_refused_before_they_are_read(folder):
    with pytest.raises(CheckpointError, match="size mismatch"):
        read_prior(changed(folder, "group_0.second", lambda array: array[1:]))


@pytest.mark.parametrize(
    "change",
    [
        {"ends": [4, 2, 8]},
        {"passes": [4, 3, 2]},
        {"hidden": 0},
        {"steps": [5]},
        {"bases": [2] * 8},
        {"more": 1},
    ],
)
def test_a_configuration_that_contradicts_itself_is_refused(folder, change):
    facts = json.loads((folder / "config.json").read_text())
    facts["config"] |= change
    (folder / "config.json").write_text(json.dumps(facts))
    with pytest.raises(CheckpointError):
        read_prior(folder)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}', '{"format": 2, "config": {}, "sha256": ""}'])
def test_what_is_no_prior_is_refused(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"not a prior of tubelet|format"):
        read_prior(folder)


def test_a_tokenizer_without_a_prior_has_none():
    assert prior_for("0" * 64) is None


def test_a_file_of_an_unknown_prior_is_answered_with_the_known_ones():
    with pytest.raises(
        CheckpointError, match="prior 'mine' of SHA-256 0000000000000000…, which does not come"
    ):
        prior_of_file("mine", "0" * 64)
