"""Training on another device gives the losses that it gives on the CPU."""

import os
import signal
from dataclasses import replace

import pytest
from second_device import second_device

from tubelet.quantizers.config import FSQConfig, VQConfig
from tubelet.train import processes
from tubelet.train.config import Stage
from tubelet.train.journal import read_log
from tubelet.train.run import train


def losses(folder):
    return [(line["total"], line.get("discriminator")) for line in read_log(folder)]


def adversarial(config):
    stages = Stage(until=0.5, batch=2, frames=3, side=16), Stage(batch=2, frames=3, side=16, adversarial=0.1)
    return replace(config, stages=stages)


def tokens(config, quantizer):
    model = replace(config.model, channels=3, variational=False)
    prefixes = replace(config.prefixes, counts=(3,), weights=(1.0,), maps=0.0)
    weights = replace(config.losses, kl=0.0)
    return replace(config, model=model, prefixes=prefixes, losses=weights, noise=0.0, quantizer=quantizer)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda config: config, id="latents"),
        pytest.param(adversarial, id="adversarial"),
        pytest.param(
            lambda config: tokens(config, FSQConfig(levels=(5, 4, 3), entropy_weight=0.1)), id="FSQ"
        ),
        pytest.param(lambda config: tokens(config, VQConfig(codes=50, restart_below=0.1)), id="VQ"),
    ],
)
def test_losses_are_those_of_the_cpu_also_after_an_interruption(config, data, tmp_path, monkeypatch, changed):
    config = changed(config)
    train(config, data=data, folder=tmp_path / "cpu")

    def stop(_share, step, _figures):
        if step == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    with second_device() as device:
        monkeypatch.setattr(processes, "_device", lambda _index: device)
        train(config, data=data, folder=tmp_path / "there", on_step=stop)
        state = train(config, data=data, folder=tmp_path / "there", resume=True)
    assert state.network.tokenizer.device == device
    assert losses(tmp_path / "there") == losses(tmp_path / "cpu")
