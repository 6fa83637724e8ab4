"""Fields of a configuration as options, the command `train` around them, and spans of time."""

import argparse
import re
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Literal, get_args

import pytest
import torch

from tubelet.cli.fields import add_fields, with_fields
from tubelet.cli.main import main
from tubelet.cli.options import duration
from tubelet.errors import OptionError
from tubelet.recipes.table import make_config, recipes
from tubelet.types import Stride


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part.

    Attributes:
        size: how large it is, in
            100% of all cases.
        share: of the whole.
    """

    size: int = 1
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.size < 1:
            raise OptionError(f"size is {self.size}; it starts at 1.")


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A whole.

    Attributes:
        name: what it is called.
        kind: how it is made.
        quick: whether it is done soon.
        steps: how many.
        path: where.
        counts: some numbers.
        pair: two numbers.
        strides: of each level.
        part: what is in it.
        parts: what else is in it.

    Nothing else: of importance.
    """

    name: str = "a"
    kind: Literal["flat", "round"] = "flat"
    quick: bool = True
    steps: int | None = None
    path: str | None = "here"
    counts: tuple[int, ...] = (4, 8)
    pair: tuple[float, float] = (0.9, 0.99)
    strides: tuple[Stride, ...] = (Stride(4, 8, 8),)
    part: Part = field(default_factory=Part)
    parts: tuple[Part, ...] = (Part(), Part(size=2))


def parser_of(config):
    parser = argparse.ArgumentParser(prog="p", allow_abbrev=False)
    add_fields(parser, config)
    return parser


def given(text, config=Whole()):
    return with_fields(config, parser_of(config).parse_args(text.split()))


def options(config, path=""):
    """Each leaf of a configuration and its words, found without the code that is tested."""
    for item in fields(config):
        value = getattr(config, item.name)
        parts = {"": value} if is_dataclass(value) else {}
        if isinstance(value, tuple) and value and is_dataclass(value[0]):
            parts = {f".{index}": part for index, part in enumerate(value)}
        for index, part in parts.items():
            yield from options(part, f"{path}{item.name}{index}.")
        absent = value is None and any(is_dataclass(each) for each in get_args(item.type))
        if not parts and not absent:
            words = value if isinstance(value, tuple) and not isinstance(value, Stride) else (value,)
            yield (
                f"--{path}{item.name}",
                [str(w).lower() if w is None or w in (True, False) else str(w) for w in words],
            )


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("", {}),
        ("--name b", {"name": "b"}),
        ("--kind round", {"kind": "round"}),
        ("--quick false", {"quick": False}),
        ("--steps 10", {"steps": 10}),
        ("--path none", {"path": None}),
        ("--path there", {"path": "there"}),
        ("--counts 4 8 16", {"counts": (4, 8, 16)}),
        ("--counts 3", {"counts": (3,)}),
        ("--pair 0 1e-3", {"pair": (0.0, 0.001)}),
        ("--strides 4x8x8 2x2x2", {"strides": (Stride(4, 8, 8), Stride(2, 2, 2))}),
        ("--part.size=7", {"part": Part(size=7)}),
        ("--parts.1.share -0.25", {"parts": (Part(), Part(size=2, share=-0.25))}),
        ("--parts.0.size 3 --parts.1.size 4 --name b", {"parts": (Part(size=3), Part(size=4)), "name": "b"}),
    ],
)
def test_an_option_changes_its_field_and_no_other(text, changes):
    assert given(text) == replace(Whole(), **changes)


def test_defaults_are_those_of_the_configuration_that_was_given():
    start = Whole(name="mine", part=Part(size=9), parts=(Part(size=3),))
    assert given("--part.share 1", start) == replace(start, part=Part(size=9, share=1.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--steps many", "--steps: 'many' is not a whole number"),
        ("--steps 1e3", "'1e3' is not a whole number"),
        ("--part.share nan", "--part.share: 'nan' is not a finite number"),
        ("--part.share 1/2", "'1/2' is not a finite number"),
        ("--quick yes", "--quick: 'yes' is not known; give one of true, false"),
        ("--kind square", "'square' is not known; give one of flat, round"),
        ("--counts", "--counts: expected at least one argument"),
        ("--pair 1", "--pair: expected 2 arguments"),
        ("--strides 4x8", "--strides: stride is '4x8'; it must be frames x rows x columns"),
        ("--parts.2.size 1", "unrecognized arguments: --parts.2.size 1"),
        ("--part.siz 1", "unrecognized arguments: --part.siz 1"),
        ("--part 1", "unrecognized arguments: --part 1"),
    ],
)
def test_a_value_of_another_type_is_bad_usage(capsys, text, message):
    with pytest.raises(SystemExit, match="2"):
        given(text)
    assert message in capsys.readouterr().err


def test_the_checks_of_each_class_run():
    with pytest.raises(OptionError, match="size is 0; it starts at 1"):
        given("--parts.1.size 0")


def test_help_is_that_of_the_docstring_with_the_default():
    shown = " ".join(parser_of(Whole()).format_help().split())
    for text in (
        "--name TEXT what it is called (default: a)",
        "--kind flat|round how it is made (default: flat)",
        "--quick true|false whether it is done soon (default: true)",
        "--steps N|none how many (default: none)",
        "--counts N [N ...] some numbers (default: 4 8)",
        "--pair X X two numbers (default: 0.9 0.99)",
        "--strides TxHxW [TxHxW ...] of each level (default: 4x8x8)",
        "parts.1: what else is in it. --parts.1.size N how large it is, in 100% of all cases (default: 2)",
    ):
        assert text in shown
    assert "importance" not in shown


@pytest.mark.parametrize(
    "kind", [dict[str, int], tuple[int, str], int | str, Literal[1, 2], tuple[int, ...] | None]
)
def test_a_type_that_no_option_holds_is_refused(kind):
    @dataclass(frozen=True)
    class Odd:
        thing: kind = None

    with pytest.raises(TypeError, match=r"thing is of type .*; an option holds"):
        parser_of(Odd())


# The command


@pytest.fixture
def trained(monkeypatch):
    """What `train` was called with, instead of training."""
    run = pytest.importorskip("tubelet.train.tokenizer.task")
    calls = []

    def train(config, *, data, options):
        options.on_iteration(1.0, 1, SimpleNamespace(losses={"total": 0.5}))
        calls.append((config, data, options))
        return SimpleNamespace(iteration=1, seconds=3600.0, progress=1.0, device=torch.device("cpu"))

    monkeypatch.setattr(run, "train", train)
    monkeypatch.setattr("tubelet.train.prior.task.train_prior", train)
    monkeypatch.setattr("tubelet.generate.dit.task.train_dit", train)
    monkeypatch.setattr("tubelet.generate.tokens.task.train_tokens", train)
    monkeypatch.setattr("tubelet.train.twin.task.train_twin", train)
    monkeypatch.setattr("tubelet.train.flow.task.train_flow", train)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return calls


@pytest.fixture
def train(capsys):
    """Run the command; gives its exit code and what it printed."""

    def call(text):
        try:
            code = main(["train", *text.split()])
        except SystemExit as end:
            code = end.code
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


@pytest.mark.parametrize("recipe", recipes())
def test_every_field_of_every_recipe_is_an_option_and_its_default_changes_nothing(recipe, trained, train):
    config = make_config(recipe)
    words = " ".join(f"{name} {' '.join(words)}" for name, words in options(config))
    assert train(f"{recipe} --data d -o r --time-limit 1h {words}")[::2] == (0, "")
    assert trained[0][0] == config
    shown = train(f"{recipe} --help")[1]
    for name, _ in options(config):
        about = re.search(rf"^  {re.escape(name)} (.*?)\(default", shown, flags=re.MULTILINE | re.DOTALL)
        assert about is not None, name
        assert re.search(r"[a-z]{3}", about[1]), f"{name} has no help"


def test_train_is_given_what_the_command_line_says(trained, train):
    switches = "--time-limit 90m --resume --shard --force"
    numbers = (
        "--model.width 128 --prefixes.counts 4 8 --prefixes.weights 1 2 --bfloat16 false --stages.0.batch 8"
    )
    assert train(f"s --data d -o r {switches} {numbers}")[0] == 0
    ((config, data, options),) = trained
    assert (str(data), str(options.folder), options.time_limit) == ("d", "r", 5400.0)
    assert (options.resume, options.shard, options.force) == (True, True, True)
    assert (config.model.width, config.stages[0].batch, config.bfloat16) == (128, 8, False)
    assert (config.prefixes.counts, config.prefixes.weights) == ((4, 8), (1.0, 2.0))


def test_a_generator_is_trained_without_data_too(trained, train):
    assert train("dit -o r --time-limit 1h --scenes.clips 5 --scenes.colours red blue")[0] == 0
    ((config, data, _),) = trained
    assert data is None
    assert (config.scenes.clips, config.scenes.colours) == (5, ("red", "blue"))


def test_train_takes_all_cores_that_its_neighbours_leave(trained, train, monkeypatch):
    counts = []
    monkeypatch.setattr(torch, "set_num_threads", counts.append)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr("tubelet.cores._QUOTA", Path("nowhere"))
    assert train("s --data d -o r")[0] == 0
    assert not counts, "a number from outside is kept"
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert train("s --data d -o r")[0] == 0
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert train("s --data d -o r")[0] == 0
    assert counts == [16, 4]


def test_help_without_a_recipe_lists_the_recipes(train):
    code, shown, _ = train("--help")
    assert code == 0
    for name in recipes():
        assert re.search(rf"^  {name} +\w", shown, flags=re.MULTILINE)
    assert "--model.memory" not in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "required: RECIPE, -o/--output"),
        ("s -o r", "--data is missing; it is a folder of crops"),
        ("prior -o r", "--data is missing; it is a folder of crops"),
        ("dit -o r --scenes.shapes blob", "scenes know no blob; there are circle"),
        ("dit -o r --given 2", "fractions from 0 to 1"),
        ("xl --data d -o r", f"recipe is 'xl'; known are {', '.join(recipes())}"),
        ("--data d -o r m", f"give the recipe first: {', '.join(recipes())}"),
        ("s --data d", "required: -o/--output"),
        ("s --data d -o r --model.widht 3", "--model.widht 3; near are --model.width"),
        ("s --data d -o r --width=3", "--width=3; near are --model.width"),
        ("s --data d -o r --model.encoder-blocks 3", "near are --model.encoder_blocks"),
        ("s --data d -o r --frobnicate", "unrecognized arguments: --frobnicate. "),
        ("s --data d -o r more", "unrecognized arguments: more. "),
        ("s --data d -o r --time-limit 90", "'90' is not a span of time"),
        ("s --data d -o r --losses.kl 1", "the weight of kl is set and the model is not variational"),
        (
            "s --data d -o r --prefixes.counts 4 8 --prefixes.weights 1",
            "every number of channels needs one weight",
        ),
    ],
)
def test_what_the_command_cannot_take_is_bad_usage(trained, train, text, message):
    code, _, err = train(text)
    assert code == 2
    assert message in err
    assert not trained


def test_other_commands_refuse_unknown_arguments_and_name_what_is_near(capsys):
    assert main(["encode", "a.mp4", "-o", "a.tube", "--chanels", "--model.width"]) == 2
    assert "unrecognized arguments: --chanels --model.width; near are --channels. " in capsys.readouterr().err


# Spans of time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", 45),
        ("90m", 5400),
        ("1h30m", 5400),
        ("1:30:00", 5400),
        ("1.5h", 5400),
        ("1h1s", 3601),
        ("0h2m", 120),
    ],
)
def test_a_duration_is_read_in_seconds(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "90", "1:30", "0s", "m", "30m1h", "-5m", "1h30", "soon", "9" * 400 + "h", "nans"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match=r"is not a span of time; give one with units"):
        duration(text)
