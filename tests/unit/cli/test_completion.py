"""A shell completes commands, options and files by what `tubelet completion` prints."""

import shutil
import subprocess
import sys

import pytest

from tubelet.cli.command_completion import SHELLS, script
from tubelet.cli.main import main
from tubelet.cli.parser import COMMANDS, make_parser

ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
set -- $(complete -p tubelet)
while [ "$1" != -F ]; do shift; done
"$2"
echo "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_in_the_script(shell):
    pytest.importorskip("shtab")
    text = script(make_parser(), shell)
    assert all(command.NAME in text for command in COMMANDS)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["tubelet", "enc"], {"encode", "encode-dataset"}),
        (["tubelet", "encode", "--chan"], {"--channels"}),
        (["tubelet", "completion", "z"], {"zsh"}),
    ],
)
def test_bash_completes(words, answer, tmp_path):
    pytest.importorskip("shtab")
    (tmp_path / "tubelet.bash").write_text(script(make_parser(), "bash"))
    done = subprocess.run(
        ["bash", "-c", ASK, "bash", str(tmp_path / "tubelet.bash"), *words],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == answer


def test_the_command_prints_it(capsys):
    pytest.importorskip("shtab")
    assert main(["completion", "bash", "--quiet"]) == 0
    assert "complete -" in capsys.readouterr().out


def test_without_shtab_the_cure_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "pip install 'tubelet[completion]'" in capsys.readouterr().err
