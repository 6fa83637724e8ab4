"""Training on another device gives the losses that it gives on the CPU."""

from dataclasses import replace

import pytest
from second_device import second_device

from tubelet.quantizers.config import FSQConfig, VQConfig
from tubelet.train import processes
from tubelet.train.journal import read_log
from tubelet.train.loop import RunOptions
from tubelet.train.tokenizer.config import Stage
from tubelet.train.tokenizer.task import train


def losses(folder):
    return [(line["total"], line.get("discriminator")) for line in read_log(folder)]


@pytest.fixture(params=["latents", "adversarial", "FSQ", "VQ"])
def kind(request, config, discrete):
    """A run of each kind that uses other code."""
    stages = Stage(until=0.5, batch=2, frames=3, side=16), Stage(batch=2, frames=3, side=16, adversarial=0.1)
    return {
        "latents": config,
        "adversarial": replace(config, stages=stages),
        "FSQ": replace(discrete, quantizer=FSQConfig(levels=(5, 4, 3), entropy_weight=0.1)),
        "VQ": replace(discrete, quantizer=VQConfig(codes=50, restart_below=0.1)),
    }[request.param]


def test_losses_are_those_of_the_cpu_also_after_an_interruption(
    kind, data, tmp_path, monkeypatch, stop_after
):
    train(kind, data=data, options=RunOptions(folder=tmp_path / "cpu"))
    with second_device() as device:
        monkeypatch.setattr(processes, "_device", lambda _index: device)
        train(kind, data=data, options=RunOptions(folder=tmp_path / "there", on_iteration=stop_after(5)))
        state = train(kind, data=data, options=RunOptions(folder=tmp_path / "there", resume=True))
    assert state.network.tokenizer.device == device
    assert losses(tmp_path / "there") == losses(tmp_path / "cpu")
