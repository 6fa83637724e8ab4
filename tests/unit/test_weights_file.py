"""Weights in a file: as few bytes as lose nothing, and nothing that is not the model's."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tubelet.eight_bits import round_to_eight_bits
from tubelet.errors import CheckpointError
from tubelet.weights_file import read_weights, round_for_storage, weights_to_bytes

LARGE = round_to_eight_bits(torch.randn(64, 70, generator=torch.Generator().manual_seed(0)))
ANY = torch.randn(64, 70, generator=torch.Generator().manual_seed(1))
WEIGHTS = {
    "bias": torch.linspace(-1, 1, 5),
    "any": ANY,
    "half": ANY.to(torch.bfloat16).to(torch.float32),
    "large": LARGE,
    "small": LARGE[:8].clone(),
}


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(weights_to_bytes(WEIGHTS))
    return path


def test_each_weight_takes_as_few_bytes_as_lose_nothing(stored):
    kinds = {name: tensor.dtype for name, tensor in load_file(stored).items()}
    assert kinds == {
        "bias": torch.float32,
        "any": torch.float32,
        "half": torch.bfloat16,
        "large": torch.int8,
        "large.exponents": torch.int8,
        "small": torch.bfloat16,
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_same_numbers_come_back(stored, dtype):
    wanted = {name: torch.empty(each.shape, dtype=dtype, device="meta") for name, each in WEIGHTS.items()}
    found = read_weights(stored, wanted)
    assert found.keys() == WEIGHTS.keys()
    for name, weights in WEIGHTS.items():
        assert torch.equal(found[name].to(torch.float32), weights)


def changed(stored, **tensors):
    weights = {name: each for name, each in load_file(stored).items() if tensors.get(name, each) is not None}
    weights |= {name: each for name, each in tensors.items() if each is not None}
    save_file(weights, stored)


@pytest.mark.parametrize(
    ("exponents", "text"),
    [
        (None, "lacks"),
        (torch.zeros(64, 2, dtype=torch.int8), "size mismatch"),
        (torch.zeros(64, 3), "size mismatch"),
        (torch.full((64, 3), 127, dtype=torch.int8), "not a finite number"),
    ],
)
def test_exponents_that_do_not_belong_to_the_integers_are_refused(stored, exponents, text):
    changed(stored, **{"large.exponents": exponents})
    with pytest.raises(CheckpointError, match=text):
        read_weights(stored, WEIGHTS)


def test_exponents_without_integers_are_refused(stored):
    changed(stored, large=LARGE)
    with pytest.raises(CheckpointError, match=r"large\.exponents"):
        read_weights(stored, WEIGHTS)


def test_integers_are_no_weights_of_whole_numbers(stored):
    wanted = WEIGHTS | {"large": torch.empty(64, 70, dtype=torch.int32, device="meta")}
    with pytest.raises(CheckpointError):
        read_weights(stored, wanted)


def test_a_network_that_is_rounded_takes_a_byte_for_each_number_of_its_matrices():
    network = nn.Sequential(nn.Linear(96, 64), nn.Linear(8, 8))
    round_for_storage(network)
    content = weights_to_bytes(network.state_dict())
    assert len(content) < 64 * 96 * (1 + 1 / 32) + 2 * 8 * 8 + 4 * 72 + 700
