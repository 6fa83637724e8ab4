"""Checkpoints that claim much, or hold what is not a number: refused by name before memory is asked for."""

import json
import resource
import shutil
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from tubelet.checkpoint import read_continuous, read_discrete
from tubelet.errors import CheckpointError
from tubelet.models.table import model_from_json
from tubelet.tokenizers.save import fingerprint


@pytest.fixture
def small(small_folder, tmp_path):
    return shutil.copytree(small_folder, tmp_path / "small")


@pytest.fixture
def tokens(token_folder, tmp_path):
    return shutil.copytree(token_folder, tmp_path / "tokens")


@pytest.fixture(autouse=True)
def _bounded():
    """Whatever a file claims, it costs little time, and memory far below its claims."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.perf_counter() - begun < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


def edit(folder, part, **changes):
    """Change numbers of a part of the configuration."""
    path = folder / "config.json"
    facts = json.loads(path.read_text())
    place = facts["config"]
    for name in part:
        place = place[name]
    place.update(changes)
    path.write_text(json.dumps(facts))


SIZES = {
    "a thousand million blocks": {"encoder_blocks": 10**9},
    "blocks beyond 64 bits": {"decoder_blocks": 10**30},
    "as wide and deep as may be": {"width": 1 << 16, "encoder_blocks": 256, "decoder_blocks": 256},
    "a large patch": {"patches": [[1 << 16, 1 << 16, 1 << 16]], "coefficients": [1 << 16]},
    "large patches": {"patches": [[64, 64, 64]], "coefficients": [1 << 16], "channels": 1 << 16},
    "many levels": {"patches": [[2, 2, 2]] * 2000, "coefficients": [8] * 2000},
    "a patch beyond every float": {"patches": [[1e300, 1, 1]]},
    "a part of a block": {"encoder_blocks": 1.5},
    "true": {"width": True},
    "a text": {"memory": "2"},
    "a list": {"width": [1]},
}


@pytest.mark.parametrize("changes", SIZES.values(), ids=SIZES)
def test_sizes_that_no_weights_have_are_refused(small, changes):
    edit(small, [], **changes)
    with pytest.raises(CheckpointError):
        read_continuous(small)


QUANTIZERS = {
    "a codebook larger than memory": {"kind": "vq", "codes": 1 << 22},
    "many of them": {"kind": "residual_vq", "codes": 1 << 16, "layers": 200},
    "layers without end": {"kind": "residual_fsq", "levels": [8, 5, 5, 3], "layers": 1 << 22},
    "more layers than are made": {"kind": "residual_fsq", "levels": [8, 5, 5, 3], "layers": 200},
    "tokens without end": {"kind": "fsq", "levels": [8, 5, 5, 3], "tokens": 1 << 22},
    "codes beyond 64 bits": {"kind": "simvq", "codes": 1 << 63},
    "a frozen codebook": {"kind": "simvq", "codes": 1 << 22},
    "a weight beyond every float": {"kind": "ibq", "codes": 4, "entropy": 10**18},
    "levels of many values": {"kind": "fsq", "levels": [65535] * 4},
}


@pytest.mark.parametrize("numbers", QUANTIZERS.values(), ids=QUANTIZERS)
def test_quantisers_that_no_weights_hold_are_refused(tokens, numbers):
    path = tokens / "config.json"
    facts = json.loads(path.read_text())
    facts["config"]["quantizer"] = numbers
    path.write_text(json.dumps(facts))
    with pytest.raises(CheckpointError):
        read_discrete(tokens)


def seal(folder):
    """Give config.json the SHA-256 of the weights that are there: what somebody who lies would do."""
    path = folder / "config.json"
    facts = json.loads(path.read_text())
    weights = {
        name: each.float() if each.dtype == torch.bfloat16 else each
        for name, each in load_file(folder / "weights.safetensors").items()
    }
    facts["sha256"] = fingerprint(model_from_json(facts["config"], folder), weights)
    path.write_text(json.dumps(facts))


def nan(tensor):
    tensor[0] = float("nan")
    return tensor


WEIGHTS = {
    "infinite": lambda weights: weights | {"transform.deviation": weights["transform.deviation"] * torch.inf},
    "no number": lambda weights: weights | {"transform.deviation": nan(weights["transform.deviation"])},
    "a deviation of zero": lambda weights: (
        weights | {"transform.deviation": weights["transform.deviation"] * 0}
    ),
    "a negative deviation": lambda weights: (
        weights | {"transform.deviation": -weights["transform.deviation"]}
    ),
    "half precision": lambda weights: {name: each.half() for name, each in weights.items()},
    "whole numbers": lambda weights: {name: each.to(torch.int32) for name, each in weights.items()},
    "one of double precision": lambda weights: (
        weights | {"transform.deviation": weights["transform.deviation"].double()}
    ),
    "one more": lambda weights: weights | {"more": torch.zeros(3)},
    "none": lambda _: {},
    "another shape": lambda weights: {name: each[..., None] for name, each in weights.items()},
}


@pytest.mark.parametrize("change", WEIGHTS.values(), ids=WEIGHTS)
def test_weights_that_are_none_are_refused_whatever_the_checksum_says(small, change):
    path = small / "weights.safetensors"
    changed = change(load_file(path))
    path.unlink()
    save_file({name: each.contiguous() for name, each in changed.items()}, path)
    seal(small)
    with pytest.raises(CheckpointError):
        read_continuous(small)


def rewritten(path, change, *, length=None):
    """Change the head of a file of weights."""
    data = path.read_bytes()
    old = int.from_bytes(data[:8], "little")
    head = change(json.loads(data[8 : 8 + old]))
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data[8 + old :])


def with_first(**changes):
    def change(head):
        name = next(name for name in head if name != "__metadata__")
        return head | {name: head[name] | changes}

    return change


HEADS = {
    "a shape beyond memory": (with_first(shape=[1 << 40, 1 << 20]), None),
    "a shape of another kind": (with_first(shape="all"), None),
    "no shape": (with_first(shape=None), None),
    "offsets beyond the file": (with_first(data_offsets=[0, 1 << 60]), None),
    "offsets backwards": (with_first(data_offsets=[64, 0]), None),
    "offsets that overlap": (
        lambda head: {
            name: each | {"data_offsets": [0, 48]} if "data_offsets" in each else each
            for name, each in head.items()
        },
        None,
    ),
    "an unknown type": (with_first(dtype="F8_E4M3"), None),
    "a type of another kind": (with_first(dtype=["F32"]), None),
    "a tensor that is none": (lambda head: dict.fromkeys(head, 3), None),
    "no object": (lambda _: b"[]", None),
    "no JSON": (lambda _: b"\xff\xfe", None),
    "deep": (lambda _: b"[" * 100_000, None),
    "a number without end": (lambda _: b'{"a": 1e99999999}', None),
    "a head longer than the file": (lambda head: head, 1 << 40),
    "a head longer than any": (lambda head: head, (1 << 64) - 1),
    "no head": (lambda head: head, 0),
}


@pytest.mark.parametrize(("change", "length"), HEADS.values(), ids=HEADS)
def test_heads_that_lie_are_refused(small, change, length):
    rewritten(small / "weights.safetensors", change, length=length)
    with pytest.raises(CheckpointError, match="cannot be used"):
        read_continuous(small)


def test_files_that_are_no_weights_are_refused(small):
    path = small / "weights.safetensors"
    for data in (b"", b"\0" * 7, b"\2" + bytes(7) + b"{}", b"PK\x03\x04" * 100):
        path.write_bytes(data)
        with pytest.raises(CheckpointError):
            read_continuous(small)
    path.unlink()
    with pytest.raises(CheckpointError, match="cannot be used"):
        read_continuous(small)
    path.mkdir()
    with pytest.raises(CheckpointError, match="cannot be used"):
        read_continuous(small)
