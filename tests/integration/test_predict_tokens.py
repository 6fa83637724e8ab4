"""The example that trains a language model on tokens runs, and its exit code says what it found."""

import importlib.util
from pathlib import Path

import pytest
import torch
from grids import make_grid

from tubelet.codec.tokens.clip import ClipFacts
from tubelet.codec.tokens.table import TokenTableWriter

EXAMPLE = Path(__file__).parents[2] / "examples" / "predict_tokens.py"
FACTS = ClipFacts(source="made", tokenizer="none", tokenizer_sha256="0" * 64)
TINY = ["--width", "16", "--layers", "1", "--batch", "4", "--rate", "2e-2"]


@pytest.fixture(scope="module")
def example():
    specification = importlib.util.spec_from_file_location("predict_tokens", EXAMPLE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def table(tmp_path):
    """Two clips whose tokens follow from their place: even in number, and nothing to guess."""
    grid = make_grid(bases=((16,),), size=(5, 64, 128))
    diagonals = (torch.arange(8)[:, None] + torch.arange(16)) % 8
    tokens = diagonals.expand(1, 1, 2, 8, 16)
    path = tmp_path / "clips.parquet"
    with TokenTableWriter(path, bases=grid.bases) as writer:
        for _ in range(2):
            writer.append(grid.with_tokens(tokens), FACTS)
    return path


def test_tokens_with_context_are_predicted_below_their_unigram_entropy(example, table, capsys):
    assert example.main([str(table), "--steps", "60", *TINY]) == 0
    shown = capsys.readouterr().out
    assert "held out: 256 positions, 8 values of 16" in shown
    assert "their unigram entropy: 2.079 nats (3.000 bits)" in shown
    assert " below the unigram entropy" in shown


def test_too_few_steps_end_with_exit_code_1(example, table, capsys):
    assert example.main([str(table), "--steps", "1", *TINY]) == 1
    assert "NOT below the unigram entropy" in capsys.readouterr().out


def test_a_folder_of_videos_is_tokenized_on_the_spot(example, video_file, capsys):
    folder = video_file(frames=5, height=64, width=136).parent
    assert example.main([str(folder), "--frames", "5", "--steps", "1", *TINY]) in (0, 1)
    assert "held out: 128 positions" in capsys.readouterr().out


def test_clips_that_are_too_small_are_refused(example, video_file, capsys):
    folder = video_file(frames=5, height=32, width=64).parent
    with pytest.raises(SystemExit):
        example.main([str(folder), "--steps", "1", *TINY])
    assert "at least one of 8 rows and 16 columns" in capsys.readouterr().err


def test_a_position_of_several_digits_has_the_loss_of_them_all(example):
    """The chain rule: the sum over all values of a token of exp(-loss) is one."""
    bases = [3, 2, 4]
    model = example.Predictor(bases, (1, 1, 2), width=8, layers=1)
    values = torch.cartesian_prod(*map(torch.arange, bases))
    first = torch.tensor([2, 1, 3]).expand(len(values), 3)
    losses = model(torch.stack([first, values], dim=1))
    assert torch.allclose((-losses[:, 1]).exp().sum(), torch.tensor(1.0), atol=1e-5)
    assert torch.allclose(losses[:, 0], losses[0, 0])


def test_no_position_sees_itself_or_what_comes_after(example):
    model = example.Predictor([5, 5], (2, 2, 2), width=8, layers=2)
    digits = torch.randint(5, (1, 8, 2), generator=torch.Generator().manual_seed(0))
    other = digits.clone()
    other[:, 5:] = 4 - other[:, 5:]
    assert torch.equal(model(digits)[:, :5], model(other)[:, :5])
