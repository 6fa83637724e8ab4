"""Training as processes: killed, resumed and shared."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tubelet.train.journal import read_log
from tubelet.train.state import checkpoints

RECIPE = """
from dataclasses import replace

from tubelet.models.klt.config import KLTConfig
from tubelet.train.config import Optimizer
from tubelet.train.tokenizer.config import LossWeights, Prefixes, Stage, TrainConfig
from tubelet.types import Stride


def tiny() -> TrainConfig:
    model = KLTConfig(
        name="tiny", patches=(Stride(2, 4, 4),), coefficients=(16,), channels=8, width=12,
        encoder_blocks=1, decoder_blocks=1,
    )
    return TrainConfig(
        model=model,
        stages=(
            Stage(until=0.5, batch=4, frames=5, side=16),
            Stage(batch=4, frames=3, side=16, encoder=False),
        ),
        losses=LossWeights(charbonnier=1.0, difference=0.5),
        prefixes=Prefixes(counts=(2, 8), weights=(1.0, 1.0), maps=0.5),
        optimizer=Optimizer(lr=2e-3),
        noise=0.1,
        bfloat16=False,
        save_seconds=0.0,
    )
"""


@pytest.fixture
def start(data, tmp_path):
    """Start `tubelet train` on the small data in a process, or in two."""
    (tmp_path / "own_recipe.py").write_text(RECIPE)
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}

    def launch(run: str, *options: str, processes: int = 1) -> subprocess.Popen:
        torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        launcher = [*torchrun, "-m"] if processes > 1 else []
        command = [sys.executable, "-m", *launcher, "tubelet", "train", "own_recipe:tiny"]
        return subprocess.Popen(
            [*command, "--data", str(data), "-o", str(tmp_path / run), *options],
            env=environment,
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return launch


def finished(process: subprocess.Popen) -> None:
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output


def totals(folder: Path) -> list[float]:
    return [line["total"] for line in read_log(folder)]


@pytest.mark.parametrize("shard", [False, True], ids=["copied", "sharded"])
def test_two_processes_have_the_losses_of_one(start, tmp_path, shard):
    finished(start("one", "--iterations", "6"))
    finished(start("two", "--iterations", "6", *(["--shard"] if shard else []), processes=2))
    assert len(totals(tmp_path / "one")) == 6
    assert totals(tmp_path / "two") == pytest.approx(totals(tmp_path / "one"), rel=1e-5)


def test_what_two_processes_began_one_can_finish(start, tmp_path):
    finished(start("one", "--iterations", "6"))
    two = start("two", "--iterations", "6", "--shard", processes=2)
    while not checkpoints(tmp_path / "two") and two.poll() is None:
        time.sleep(0.02)
    two.send_signal(signal.SIGTERM)
    two.communicate(timeout=240)
    finished(start("two", "--iterations", "6", "--resume"))
    assert totals(tmp_path / "two") == pytest.approx(totals(tmp_path / "one"), rel=1e-4)


def test_a_batch_that_does_not_split_is_refused_before_any_work_in_whatever_stage_it_comes(start, tmp_path):
    two = start("two", "--iterations", "6", "--stages.1.batch", "3", processes=2)
    output, _ = two.communicate(timeout=240)
    assert two.returncode != 0
    assert "the batch has 3 items for 2 processes" in output
    assert not (tmp_path / "two").exists()


def test_processes_whose_first_one_was_refused_call_that_no_fault_of_their_own(start, tmp_path):
    finished(start("one", "--iterations", "2"))
    two = start("one", "--iterations", "2", "--resume", "--optimizer.lr", "1e-4", processes=2)
    output, _ = two.communicate(timeout=240)
    assert two.returncode != 0
    assert "has other numbers: optimizer" in output
    assert "fault of tubelet" not in output


def test_a_run_that_was_killed_goes_on_to_the_same_losses(start, tmp_path):
    finished(start("unbroken", "--iterations", "30"))
    killed = start("killed", "--iterations", "30")
    while len(checkpoints(tmp_path / "killed")) < 2 and killed.poll() is None:
        time.sleep(0.01)
    killed.kill()
    killed.communicate(timeout=60)
    assert len(totals(tmp_path / "killed")) < 30
    finished(start("killed", "--iterations", "30", "--resume"))
    assert totals(tmp_path / "killed") == totals(tmp_path / "unbroken")
