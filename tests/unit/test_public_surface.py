import argparse
import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tubelet
from tubelet.cli.parser import COMMANDS, make_parser

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"

OPTIONS = {
    "bench": "--device --force --formats --frames --full --help --modes --output --patience --rounds --sizes "
    "--threads --with",
    "completion": "--help SHELL",
    "compare": "--force --frames --help --output A B",
    "evaluate": (
        "--also --device --drift --force --help --keep-videos --latents --manifest "
        "--on-error --output --protocol --seed --weights --with --workers SOURCE"
    ),
    "tokenize": "--caption --captions --device --force --help --json --memory --no-audio --on-error "
    "--output --tokenizer SOURCE",
    "detokenize": "--clip --device --force --help --json --memory --no-audio --output --tokenizer IN",
    "report": "--anchor --budget --force --help --measure --output --title RESULTS",
    "reconstruct": "--channels --device --force --help --json --memory --no-audio --output --refine --seed "
    "--side-by-side --step --tokenizer IN",
    "continue": "--device --force --help --json --memory --no-audio --output --seconds --tokenizer IN",
    "encode": "--bitrate --bits-per-pixel --budget --channels --contrast --device --force --help --json "
    "--memory --no-audio --no-prior --on-error --output --psnr --quality --step --tokenizer --two-pass "
    "SOURCE",
    "encode-dataset": "--address --augment --batch --bitrate --bits-per-pixel --budget --captions --channels "
    "--clip-seconds --contrast --device --dry-run --dtype --engine --format --fps --help --json "
    "--measure --memory --on-error --output --overlap --quality --shard --shard-size --short-side --step "
    "--tokenizer --two-pass --workers SOURCE",
    "dataset": "--help --json --output DATASET action",
    "swap": "--device --force --help --json --memory --output --panels --tokenizer A B",
    "decode": "--channels --device --end --force --help --json --memory --no-audio --output --refine "
    "--seed --start --tokenizer IN.tube",
    "transcode": "--channels --force --help --json --memory --no-prior --output OLD.tube",
    "info": "--check --force --help --json --map --motion FILE",
    "models": "--help --json",
    "fit-klt": "--channels --exclude --force --global --help --json --motion --output --patches --runs "
    "--seed --start --stride DATA",
    "fit-gate": "--data --force --help --json --output --seed --windows NAME|DIR",
    "scenes": "--bounce --combinations --count --force --format --fps --frames --grounds --grow --help "
    "--kinds --objects --output --pan --seed --size --spin --still",
    "prepare": "--compress --crop --exclude --force --frames --help --json --on-error --output --per-clip "
    "--seed SOURCE",
    "train": "--data --force --help --log-to --on-error --output --resume --shard --time-limit RECIPE",
    "export-checkpoint": "--data --force --help --output RUN",
    "export": "--channels --dtype --force --format --help --json --output NAME|DIR",
    "serve": "--force --help --host --output --port --tokenizer",
    "evaluate-generation": "--count --device --force --guidance --help --method --output --run --seed "
    "--steps --strips --temperature --text --things --tokenizer --weights MODEL",
    "generate": "--count --device --force --frames --guidance --help --image --json --method --model "
    "--output --seed --size --steps --temperature --text --tokenizer PROMPT",
    "weights": "--force --help --json --output NETWORK SOURCE",
    "demo": "--channels --device --force --help --output --refine --seed --step --tokenizer",
}
"""What the command line takes. A change here is a change for every user: say it in CHANGELOG.md."""


def subparsers() -> dict[str, argparse.ArgumentParser]:
    for action in make_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("the command line has commands")


def modules_after(code: str) -> set[str]:
    """The modules that a fresh process has imported after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


def test_every_public_name_can_be_imported():
    for name in tubelet.__all__:
        assert getattr(tubelet, name) is not None


def test_public_names_are_in_order_and_dir_shows_them():
    assert dir(tubelet) == sorted(tubelet.__all__) == sorted(set(tubelet.__all__))


def test_type_checkers_see_the_names_that_programs_see():
    tree = ast.parse(Path(tubelet.__file__).read_text(encoding="utf-8"))
    homes = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert homes == tubelet._HOMES
    assert homes.keys() == set(tubelet.__all__)


def test_a_name_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(AttributeError, match=r"no 'Tubelet'; it has .*ContinuousTokenizer"):
        tubelet.Tubelet  # noqa: B018  asking is the test


def test_the_version_is_that_of_the_package():
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{tubelet.__version__}"' in project


def test_commands_and_options_change_on_purpose_only():
    found = {
        name: " ".join(
            sorted(a.option_strings[-1] if a.option_strings else a.metavar or a.dest for a in parser._actions)
        )
        for name, parser in subparsers().items()
    }
    common = {"--quiet", "--verbose", "--log-file"}
    assert all(common <= set(options.split()) for options in found.values())
    assert {
        name: " ".join(o for o in each.split() if o not in common) for name, each in found.items()
    } == OPTIONS


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_says_what_it_does(name):
    silent = [a.dest for a in subparsers()[name]._actions if not a.help and a.help is not argparse.SUPPRESS]
    assert not silent


def test_every_command_has_its_own_file():
    assert {f"command_{command.NAME.replace('-', '_')}" for command in COMMANDS} == {
        command.__name__.rpartition(".")[2] for command in COMMANDS
    }


@pytest.mark.parametrize(
    "code",
    [
        "import tubelet",
        "import tubelet.errors, tubelet.files, tubelet.results",
        "import tubelet.cli.main, tubelet.cli.parser",
    ],
)
def test_importing_brings_no_heavy_library(code):
    assert not modules_after(code) & {"torch", "numpy", "av", "jaxtyping", "rich", "safetensors", "einops"}


def test_a_token_file_needs_no_torch():
    code = "import pkgutil, importlib, tubelet.bitstream as b\nfor m in pkgutil.iter_modules(b.__path__): "
    assert not modules_after(f"{code}importlib.import_module('tubelet.bitstream.' + m.name)") & {
        "torch",
        "av",
    }


def test_results_need_no_torch():
    assert "torch" not in modules_after("import tubelet.results as r; r.circumstances()")


@pytest.mark.skipif(not GLOSSARY.is_file(), reason="docs/glossary.md is not written yet")
def test_every_public_name_is_in_the_glossary():
    words = set(re.findall(r"`(\w+)", GLOSSARY.read_text(encoding="utf-8")))
    assert not set(tubelet.__all__) - words
