"""The loop trains whatever it is given: a toy task learns, resumes, is extended, and is split."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy import Toy, config

from tubelet.errors import OptionError
from tubelet.train.config import Optimizer
from tubelet.train.journal import read_log
from tubelet.train.loop import RunOptions, run_task
from tubelet.train.optimizers import lr_at


def totals(folder):
    return [line["total"] for line in read_log(folder)]


def test_a_toy_task_learns(tmp_path):
    run_task(Toy(config(iterations=300)), RunOptions(folder=tmp_path))
    losses = totals(tmp_path)
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])
    line = read_log(tmp_path)[0]
    assert line["total"] == pytest.approx(2 * line["squared"])


def test_a_toy_task_that_is_stopped_and_resumed_has_the_losses_of_an_unbroken_one(tmp_path, stop_after):
    run_task(Toy(config()), RunOptions(folder=tmp_path / "unbroken"))
    state = run_task(Toy(config()), RunOptions(folder=tmp_path / "broken", on_iteration=stop_after(7)))
    assert 0 < state.progress < 1
    state = run_task(Toy(config()), RunOptions(folder=tmp_path / "broken", resume=True))
    assert state.progress == 1
    assert totals(tmp_path / "broken") == totals(tmp_path / "unbroken")


@pytest.mark.parametrize(("way", "kind"), [("copy", "adamw"), ("shard", "muon")])
def test_two_processes_have_the_losses_of_one(tmp_path, way, kind):
    numbers = config(optimizer=Optimizer(lr=0.05, kind=kind))
    run_task(Toy(numbers), RunOptions(folder=tmp_path / "one"))
    script = str(Path(__file__).with_name("toy.py"))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run(
        [*launch, script, str(tmp_path / "two"), way, kind],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        timeout=240,
        capture_output=True,
    )
    assert totals(tmp_path / "two") == pytest.approx(totals(tmp_path / "one"), rel=1e-4)


def test_a_finished_run_is_extended_and_annealed_again(tmp_path):
    run_task(Toy(config()), RunOptions(folder=tmp_path))
    said = []
    longer = config(iterations=60)
    state = run_task(Toy(longer), RunOptions(folder=tmp_path, resume=True, on_message=said.append))
    assert state.iteration == 60
    (note,) = said
    assert "20 iterations" in note
    assert "60 iterations" in note
    lrs = [line["lr"] for line in read_log(tmp_path)]
    assert lrs[20] == pytest.approx(lr_at(20 / 60, longer.optimizer))
    assert lrs[20] > 10 * lrs[19]
    assert lrs[-1] < max(lrs) / 50
    facts = json.loads((tmp_path / "run.json").read_text())
    assert facts["end"] == {"iterations": 60, "seconds": None}
    assert facts["ends_before"] == [{"iterations": 20, "seconds": None}]


def test_an_end_that_has_passed_is_refused_and_nothing_is_changed(tmp_path):
    run_task(Toy(config()), RunOptions(folder=tmp_path))
    before = (tmp_path / "run.json").read_bytes()
    with pytest.raises(OptionError, match=r"has done 20 iterations .* its end is to be 10 iterations"):
        run_task(Toy(config(iterations=10)), RunOptions(folder=tmp_path, resume=True))
    assert (tmp_path / "run.json").read_bytes() == before


def test_a_run_that_goes_on_unchanged_says_nothing(tmp_path, stop_after):
    said = []
    run_task(Toy(config()), RunOptions(folder=tmp_path, on_iteration=stop_after(3)))
    run_task(Toy(config()), RunOptions(folder=tmp_path, resume=True, on_message=said.append))
    assert not said


def test_other_numbers_are_refused_by_name(tmp_path):
    run_task(Toy(config()), RunOptions(folder=tmp_path))
    with pytest.raises(OptionError, match="width 8 there and 9 here"):
        run_task(Toy(config(width=9)), RunOptions(folder=tmp_path, resume=True))


def test_what_is_averaged_follows_the_weights(tmp_path):
    numbers = config(optimizer=Optimizer(lr=0.05, ema=0.0))
    state = run_task(Toy(numbers), RunOptions(folder=tmp_path))
    weights = dict(state.network.named_parameters())
    assert all(torch.equal(state.ema[name], weight) for name, weight in weights.items())
    still = replace(numbers, optimizer=Optimizer(lr=0.05, ema=0.999))
    state = run_task(Toy(still), RunOptions(folder=tmp_path / "slow"))
    assert not torch.equal(state.ema["0.weight"], dict(state.network.named_parameters())["0.weight"])
