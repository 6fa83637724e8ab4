import pytest
import torch

from tubelet.train.precision import autocast, computes_bfloat16


@pytest.fixture(params=[(), ("avx512_f", "avx2"), ("avx512_bf16",), ("amx_bf16", "avx2")], ids=str)
def instructions(request, monkeypatch):
    known = {
        "architecture": "x86_64",
        "l2_cache_size": 1,
        "avx2": False,
        "avx512_bf16": False,
        "amx_bf16": False,
    }
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known | dict.fromkeys(request.param, True))
    return request.param


def test_a_cpu_computes_bfloat16_if_some_instruction_of_it_does(instructions):
    there = any(name.endswith("bf16") for name in instructions)
    assert computes_bfloat16("cpu") == there
    with autocast(torch.device("cpu"), bfloat16=True):
        assert torch.is_autocast_enabled("cpu") == there


def test_it_can_be_forbidden(instructions):
    with autocast(torch.device("cpu"), bfloat16=False):
        assert not torch.is_autocast_enabled("cpu")
