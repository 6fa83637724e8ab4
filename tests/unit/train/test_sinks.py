"""Curves and pictures of a run go to what is named, by one protocol."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from tubelet.errors import OptionError
from tubelet.train.journal import Journal
from tubelet.train.sinks import Sink, TensorBoard, check_sinks, open_sink, usual_sinks


class Recorder(ModuleType):
    """Stands for wandb or trackio: notes what it is told."""

    def __init__(self, name):
        super().__init__(name)
        self.__spec__ = SimpleNamespace(name=name)
        self.begun, self.logged, self.finished = [], [], 0

    def init(self, **told):
        self.begun.append(told)
        return self

    def log(self, numbers, step):
        self.logged.append((step, numbers))

    def finish(self):
        self.finished += 1

    @staticmethod
    def Image(levels):  # noqa: N802  their name
        return levels


@pytest.fixture(params=["wandb", "trackio"])
def service(request, monkeypatch):
    package = Recorder(request.param)
    monkeypatch.setitem(sys.modules, request.param, package)
    return package


def test_a_service_gets_curves_and_pictures_and_is_told_when_it_ends(service, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for _session in range(2):
        sink = open_sink(service.__name__, folder, first=0, config={"seed": 3})
        assert isinstance(sink, Sink)
        sink.curves({"loss/total": 0.5}, 10)
        sink.pictures({"strip": torch.full((3, 4, 6), 0.5), "clips": torch.ones(2, 3, 4, 6)}, 10)
        sink.close()
    assert service.logged[0] == (10, {"loss/total": 0.5})
    _, pictures = service.logged[1]
    assert (pictures["strip"].shape, pictures["clips"].shape) == ((4, 6, 3), (4, 12, 3))
    assert pictures["strip"].dtype == np.uint8 and pictures["strip"][0, 0, 0] == 128
    assert service.finished == 2
    first, again = service.begun
    assert first == again
    assert (first["name"], first["resume"], first["config"]) == ("run", "allow", {"seed": 3})
    assert ("id" in first) == (service.__name__ == "wandb")


def test_what_is_not_named_gets_nothing(service, tmp_path):
    with Journal(tmp_path, first=0, writes=True, log_to=()):
        pass
    assert not service.begun and not (tmp_path / "tensorboard").exists()
    with Journal(tmp_path, first=0, writes=False, log_to=[service.__name__]):
        assert not service.begun, "one process of many writes"


def test_what_is_missing_is_named_with_its_cure(monkeypatch):
    monkeypatch.setattr("tubelet.train.sinks.find_spec", lambda _name: None)
    assert usual_sinks() == ()
    with pytest.raises(OptionError, match="pip install wandb"):
        check_sinks(["wandb"])
    with pytest.raises(OptionError, match=r"tubelet\[train\]"):
        check_sinks(["tensorboard"])
    with pytest.raises(OptionError, match="known are tensorboard, wandb, trackio"):
        check_sinks(["paper"])


def test_tensorboard_is_a_sink(tmp_path):
    pytest.importorskip("tensorboard")
    sink = open_sink("tensorboard", tmp_path, first=0, config={})
    assert isinstance(sink, TensorBoard) and isinstance(sink, Sink)
    sink.curves({"lr": 1e-3}, 1)
    sink.pictures({"strip": torch.zeros(3, 4, 6)}, 1)
    sink.close()
    assert list((tmp_path / "tensorboard").glob("events.*"))
