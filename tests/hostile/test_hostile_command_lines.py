"""Words in any order on the command line give help, a line that says what is wrong, or work: no traceback."""

import io
import signal
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest

from tubelet.cli.main import main
from tubelet.cli.parser import COMMANDS

WORDS = (
    *(
        "-o",
        "--json",
        "--quiet",
        "--verbose",
        "--log-file",
        "--memory",
        "--step",
        "--channels",
        "--start",
        "--end",
    ),
    *(
        "--tokenizer",
        "--device",
        "--force",
        "--with",
        "--weights",
        "--clip",
        "--workers",
        "--frames",
        "--seed",
    ),
    *(
        "--help",
        "-h",
        "--version",
        "--",
        "-",
        "",
        " ",
        "=",
        "--=",
        "--json=",
        "--log-file=",
        "-x",
        "--no-such",
    ),
    *(
        "none.mp4",
        "none.tube",
        "none.npz",
        "none.parquet",
        "none",
        ".",
        "..",
        "/",
        "/dev/null",
        "a\nb",
    ),
    *("\udce9", "\x1b[2J", "0", "-1", "1e308", "nan", "inf", "9" * 400, "1/0", "cuda:99", "lpips", "m", "s"),
    *(
        "lpips=x:y",
        "x264:crf=",
        "tubelet-m@",
        "@",
        "%s",
        "{}",
        "$HOME",
        "short256x33",
        "--model.width",
        "x" * 5000,
    ),
)
"""What a person, a script or a cat may type."""

SLOW = {"demo", "bench", "train", "evaluate"}
"""Commands that would work for long where the words make sense by chance."""


def ended(words: list[str]) -> tuple[object, str]:
    """The exit code of a command line, and what it said on standard error."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in signals}
    said = io.StringIO()
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(said):
            code: object = main(words)
    except SystemExit as end:
        code = end.code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code, said.getvalue()


def try_words(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    names = [command.NAME for command in COMMANDS if command.NAME not in SLOW]
    for _ in range(count):
        chosen = random.choice(len(WORDS), int(random.integers(0, 6)))
        words = [names[int(random.integers(len(names)))], *(WORDS[place] for place in chosen)]
        if random.random() < 0.1:
            words = words[::-1]
        code, said = ended(words)
        assert code in {0, 1, 2}, (words, said)
        assert "a fault of tubelet itself" not in said, (words, said)
        if "--verbose" not in words:
            assert "Traceback" not in said, (words, said)
        if code == 2:
            assert "error: " in said.splitlines()[-1], (words, said)


@pytest.fixture(autouse=True)
def inside_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_no_words_are_a_crash():
    try_words(60, seed=0)


@pytest.mark.slow
def test_no_words_of_many_are_a_crash():
    try_words(20_000, seed=1)


@pytest.mark.parametrize("name", ["-dash.npy", "--output.npy", "-o.mp4"])
def test_a_file_whose_name_begins_as_an_option_does_is_named_with_what_to_say(name, tmp_path):
    np.save(tmp_path / "good.npy", np.zeros((5, 16, 16, 3), np.uint8))
    (tmp_path / "good.npy").rename(tmp_path / name)
    words = ["encode", name, "-o", "out.tube", "--tokenizer", "klt-4x8x8"]
    assert ended(words) == (
        2,
        f"tubelet: error: {name} is a file here, and its name begins as an option does: say ./{name}.\n",
    )
    if name.endswith(".npy"):
        assert ended(["encode", f"./{name}", *words[2:]])[0] == 0
        assert ended([words[0], *words[2:], "--force", "--", name])[0] == 0
