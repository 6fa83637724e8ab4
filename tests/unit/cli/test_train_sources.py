"""`tubelet train --data CLIPS`: crops are prepared first, and clips that fail are named as everywhere."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tubelet.cli.main import main
from tubelet.data.crops import open_crops


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    ramp = np.linspace(0, 255, 160 * 160 * 3).reshape(160, 160, 3)
    np.save(folder / "a.npy", np.stack([ramp + number for number in range(33)]).astype(np.uint8))
    return folder


@pytest.fixture
def trained(monkeypatch):
    """The folders of crops that were trained on, instead of training."""
    folders = []

    def train(_config, *, data, options):
        folders.append(data)
        return SimpleNamespace(iteration=1, seconds=1.0, progress=1.0, device=torch.device("cpu"))

    monkeypatch.setattr("tubelet.train.tokenizer.task.train", train)
    monkeypatch.setattr("tubelet.train.prior.task.train_prior", train)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return folders


def train(clips, run, *more, recipe="s"):
    words = ["train", recipe, "--data", clips, "-o", run, "--iterations", "1", *more]
    return main(list(map(str, words)))


@pytest.mark.parametrize("recipe", ["s", "prior"])
def test_clips_become_crops_of_the_run_once(clips, tmp_path, trained, recipe):
    run = tmp_path / "run"
    assert train(clips, run, recipe=recipe) == 0
    assert trained == [run / "crops"]
    crops = open_crops(run / "crops")
    assert (len(crops), crops.frames, crops.side, crops.compressed) == (16, 33, 160, False)
    before = {path.name: path.stat().st_mtime_ns for path in (run / "crops").iterdir()}
    assert train(clips, run, "--resume", recipe=recipe) == 0
    assert before == {path.name: path.stat().st_mtime_ns for path in (run / "crops").iterdir()}
    assert train(run / "crops", tmp_path / "other", recipe=recipe) == 0
    assert trained[-1] == run / "crops"


def test_a_clip_that_fails_is_named_and_the_others_are_trained_on(clips, tmp_path, trained, capsys):
    (clips / "junk.mp4").write_bytes(b"junk")
    assert train(clips, tmp_path / "stopped", "--on-error", "stop") == 1
    assert "junk.mp4" in capsys.readouterr().err
    assert not trained
    assert train(clips, tmp_path / "run") == 1
    assert "1 of 2 clips are damaged or cannot be read" in capsys.readouterr().err
    assert trained == [tmp_path / "run" / "crops"]


def test_what_would_end_badly_is_refused_before_clips_are_cut(clips, tmp_path, trained, capsys, monkeypatch):
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    (tmp_path / "list.csv").write_text("path\nclips/a.npy\n")
    assert train(clips, run) == 2
    assert "holds a run; --resume goes on with it" in capsys.readouterr().err
    assert train(tmp_path / "list.csv", tmp_path / "dit", recipe="dit") == 2
    assert "one folder of latents or tokens with captions" in capsys.readouterr().err
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert train(clips, tmp_path / "two") == 2
    assert "several processes train" in capsys.readouterr().err
    assert not trained
    assert not list(tmp_path.rglob("crops*"))


def test_a_run_that_never_began_leaves_no_folder(tmp_path, trained):
    damaged = tmp_path / "damaged.npy"
    damaged.write_bytes(b"no clip")
    run = tmp_path / "runs" / "first"
    assert train(damaged, run) != 0
    assert not (tmp_path / "runs").exists()


def test_the_next_command_is_one_that_a_shell_takes(clips, tmp_path, trained, capsys):
    run = tmp_path / "my first run"
    assert train(clips, run) == 0
    assert f"tubelet export-checkpoint '{run}' -o tubelet-mine" in capsys.readouterr().out


def test_a_run_in_the_folder_of_its_crops_is_refused(tmp_path, trained, capsys):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "index.json").write_text("{}")
    assert train(tmp_path / "data", tmp_path / "data") == 2
    assert "a run has a folder of its own" in capsys.readouterr().err
    assert not trained
