"""What every command does alike: say little or much, end in one line, and stop when it is asked to."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from commands import PATIENCE, Ended, refused

from tubelet.cli import command_models, console, progress
from tubelet.cli.log import LOG, in_file, on_terminal
from tubelet.cli.main import main
from tubelet.cli.parser import COMMANDS, make_parser
from tubelet.errors import DamageWarning, LossWarning, OptionError, OutputError

COMMAND = Path(sys.executable).with_name("tubelet")


@pytest.fixture
def clip(video_file):
    return video_file()


@pytest.fixture
def broken(monkeypatch):
    """Let a command have a fault."""

    def do(error: BaseException) -> None:
        def run(_arguments):
            raise error

        monkeypatch.setattr(command_models, "run", run)

    return do


# Words that are nearly right


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("encod", "encode"),
        ("Decode", "decode"),
        ("reconstuct", "reconstruct"),
        ("export-chekpoint", "export-checkpoint"),
    ],
)
def test_a_command_that_is_misspelt_is_answered_with_the_right_one(cli, word, meant):
    ended = cli(word, "a.mp4")
    assert refused(ended, 2, f"no command {word!r}", meant, "`tubelet --help`")
    assert len(ended.err) < 200


def test_a_word_like_no_command_is_answered_with_all_of_them(cli):
    assert refused(cli("frobnicate"), 2, *(command.NAME for command in COMMANDS))


@pytest.mark.parametrize(
    "command", [each.NAME for each in COMMANDS if each.NAME not in {"demo", "models", "bench", "serve"}]
)
def test_what_is_missing_is_said_in_one_line(cli, command):
    ended = cli(command)
    assert refused(ended, 2, command, "required", f"`tubelet {command} --help`")
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("command", [each.NAME for each in COMMANDS])
def test_every_command_can_be_quiet_verbose_and_logged(cli, command):
    shown = cli(command, "--help").out
    assert all(option in shown for option in ("--quiet", "--verbose", "--log-file FILE"))


# How much is said


def test_a_quiet_command_says_nothing(cli, clip, small_folder, tmp_path):
    ended = cli("encode", clip, "-o", tmp_path / "a.tube", "--tokenizer", small_folder, "--quiet")
    assert ended == (0, "", "")
    assert (tmp_path / "a.tube").stat().st_size


def test_a_quiet_command_prints_what_was_asked_for(cli, clip, small_folder, tmp_path):
    asked = ("encode", clip, "-o", tmp_path / "a.tube", "--tokenizer", small_folder, "--json", "-")
    ended = cli(*asked, "--quiet")
    assert json.loads(ended.out)["figures"]["frames"] == 9
    assert not ended.err
    assert json.loads(cli("info", clip, "--json", "--quiet").out)["width"] == 40


def test_a_quiet_command_says_errors(cli, tmp_path):
    assert refused(cli("info", tmp_path / "none.mp4", "--quiet"), 1, "none.mp4")


@pytest.mark.parametrize("place", ["before", "behind"])
def test_a_command_is_quiet_wherever_that_stands(cli, clip, small_folder, tmp_path, place):
    arguments = ("encode", clip, "-o", tmp_path / "a.tube", "--tokenizer", small_folder)
    arguments = ("--quiet", *arguments) if place == "before" else (*arguments, "--quiet")
    assert cli(*arguments) == (0, "", "")


def test_a_verbose_command_says_what_runs_and_what_it_took(cli, clip):
    ended = cli("info", clip, "--verbose")
    assert re.search(r"^tubelet: tubelet \d", ended.err)
    assert re.search(r"exit code 0 after [\d.]+ s, at most \d+ MiB", ended.err)
    assert ended.out == cli("info", clip).out


def test_a_verbose_command_shows_where_an_error_comes_from(cli, tmp_path):
    ended = cli("info", tmp_path / "none.mp4", "--verbose")
    assert "Traceback" in ended.err and "command_info.py" in ended.err
    assert "Traceback" not in cli("info", tmp_path / "none.mp4").err


# Log files


def test_a_log_file_has_the_command_its_errors_and_its_end(cli, tmp_path):
    log = tmp_path / "a.log"
    assert cli("info", tmp_path / "none.mp4", "--log-file", log).code == 1
    text = log.read_text(encoding="utf-8")
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d debug tubelet \d", text)
    assert "none.mp4: no such file" in text
    assert "Traceback" in text
    assert "exit code 1 after" in text.splitlines()[-1]


def test_a_log_file_goes_on_where_the_last_command_ended(cli, clip, tmp_path):
    log = tmp_path / "a.log"
    for _ in range(2):
        assert cli("info", clip, "--log-file", log).code == 0
    assert log.read_text(encoding="utf-8").count("exit code 0") == 2


@pytest.mark.parametrize("name", ["film.log", "words.txt"])
def test_nothing_is_added_to_a_file_that_is_no_log(cli, clip, tmp_path, name):
    (tmp_path / name).write_text("precious\n")
    assert refused(cli("info", clip, "--log-file", tmp_path / name), 1, name, "is not a log")
    assert (tmp_path / name).read_text() == "precious\n"


@pytest.mark.parametrize(
    ("name", "why"),
    [("clip.mkv", ".log"), ("log", ".log"), ("a.json", ".log"), ("-", "- is standard output")],
)
def test_a_log_file_is_called_one(cli, clip, tmp_path, monkeypatch, name, why):
    monkeypatch.chdir(tmp_path)
    before = clip.read_bytes()
    assert refused(cli("info", clip, "--log-file", name), 2, why)
    assert clip.read_bytes() == before


def test_names_in_a_log_file_cannot_forge_lines(cli, tmp_path):
    log = tmp_path / "a.log"
    cli("info", tmp_path / "a\n2026-01-01 00:00:00 debug exit code 0\x1b[2J.mp4", "--log-file", log)
    lines = log.read_text(encoding="utf-8").splitlines()
    assert "\x1b" not in "".join(lines)
    assert not [line for line in lines if line.startswith("2026-01-01 00:00:00")]


def test_a_log_that_cannot_be_written_any_more_ends_no_work(capsys, tmp_path):
    with on_terminal(), in_file(tmp_path / "a.log"):
        (handler,) = (each for each in LOG.handlers if getattr(each, "baseFilename", "").endswith("a.log"))
        handler.stream.close()
        handler.stream = open("/dev/full", "w")  # noqa: SIM115, PTH123  the handler closes it
        LOG.info("one")
        LOG.info("two")
    err = capsys.readouterr().err
    assert err.count("log file cannot be written any more") == 1
    assert "two" in err


# Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def test_work_that_takes_long_says_a_line_a_minute_where_no_terminal_is(capsys, clock):
    with on_terminal(), progress.progress("encoding", total=1000) as advance:
        for _ in range(100):
            advance(5)
            clock(1.5)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0] == "tubelet: encoding: 205 of 1000 frames, 20.5%, 3.42 frames/s, 0:03:53 left"


def test_work_of_unknown_length_says_what_is_known(capsys, clock):
    with on_terminal(), progress.progress("decoding", total=None) as advance:
        clock(60)
        advance(30)
        advance.expect(60)
        clock(60)
        advance(15)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "tubelet: decoding: 30 frames, 0.5 frames/s"
    assert lines[1] == "tubelet: decoding: 45 of 60 frames, 75.0%, 0.375 frames/s, 0:00:40 left"


def test_quiet_work_says_no_progress_but_to_the_log(capsys, clock, tmp_path):
    with (
        on_terminal(quiet=True),
        in_file(tmp_path / "a.log"),
        progress.progress("encoding", total=10) as advance,
    ):
        clock(61)
        advance(5)
    assert not capsys.readouterr().err
    assert "info encoding: 5 of 10 frames, 50.0%" in (tmp_path / "a.log").read_text(encoding="utf-8")


def test_a_run_that_is_taken_up_knows_how_long_the_rest_takes(capsys, clock):
    with on_terminal(), progress.run_progress() as show:
        for step, share in ((500, 0.5), (530, 0.53), (560, 0.56)):
            show(share, step, {"total": 0.25})
            clock(30)
        show(0.59, 590, {"total": 0.25})
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "tubelet: training: step 560  total 0.25, 56.0%, 1 steps/s, 0:07:20 left"


def test_a_bar_on_a_terminal_takes_the_place_of_lines(capsys, clock, monkeypatch, tmp_path):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with on_terminal(), in_file(tmp_path / "a.log"), progress.progress("encoding", total=10) as advance:
        clock(61)
        advance(5)
    assert "tubelet: encoding" not in capsys.readouterr().err
    assert "encoding: 5 of 10 frames" in (tmp_path / "a.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("part", "frames"), [((), 30), (("--start", "0.4"), 20), (("--start", "0.4", "--end", "0.8"), 10)]
)
def test_decoding_knows_how_much_there_is(cli, video_file, small_folder, tmp_path, monkeypatch, part, frames):
    tube = tmp_path / "a.tube"
    assert cli("encode", video_file(frames=30), "-o", tube, "--tokenizer", small_folder).code == 0
    known = []
    close = progress.Progress.close
    monkeypatch.setattr(
        progress.Progress, "close", lambda bar: (known.append((bar.total, bar._done)), close(bar))
    )
    assert cli("decode", tube, "-o", tmp_path / "a.mkv", "--tokenizer", small_folder, *part).code == 0
    assert known == [(frames, frames)]


# Errors nobody thought of


@pytest.mark.parametrize(
    "error", [KeyError("x"), AssertionError(), RecursionError("deep"), ZeroDivisionError()]
)
def test_a_fault_of_the_program_is_one_line_that_says_so(cli, broken, error):
    broken(error)
    assert refused(cli("models"), 1, "a fault of tubelet itself", type(error).__name__, "--verbose")


def test_a_fault_is_shown_in_full_to_who_asks(cli, broken, tmp_path):
    broken(KeyError("x"))
    assert "Traceback" in cli("models", "--verbose").err
    assert "Traceback" not in cli("models", "--log-file", tmp_path / "a.log").err
    assert "Traceback" in (tmp_path / "a.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 99 bytes.")],
)
def test_lack_of_memory_is_named_with_its_cure(cli, broken, error):
    broken(error)
    assert refused(cli("models"), 1, "out of memory", "--memory")


def test_a_library_that_cannot_be_loaded_is_named(cli, broken):
    broken(ImportError("libxyz.so: cannot open"))
    assert refused(cli("models"), 1, "libxyz.so", "Install tubelet again")


def test_an_error_that_a_signal_made_of_an_import_is_an_interruption(capsys):
    def run():
        raise ImportError("numpy was not fully loaded")

    assert console.guarded(run, interrupted=lambda: True) == 130
    assert "interrupted" in capsys.readouterr().err


def test_damage_is_exit_code_1_and_bad_usage_2(capsys):
    def damaged():
        warnings.warn("it is cut short", DamageWarning, stacklevel=1)

    def refused():
        raise OptionError("channels is 0")

    def full():
        raise OutputError("no room")

    assert [console.guarded(run) for run in (damaged, refused, full, lambda: None)] == [1, 2, 1, 0]
    assert capsys.readouterr().err.splitlines() == [
        "tubelet: warning: it is cut short",
        "tubelet: error: channels is 0",
        "tubelet: error: no room",
    ]


def test_what_a_programmer_is_warned_of_is_said_with_its_place_or_not(capsys):
    def warned():
        warnings.warn("it was left open", ResourceWarning, stacklevel=1)
        warnings.warn("it goes", DeprecationWarning, stacklevel=1)
        warnings.warn("ten bits", LossWarning, stacklevel=1)

    assert console.guarded(warned) == 0
    assert capsys.readouterr().err == "tubelet: warning: ten bits\n"
    assert console.guarded(warned, console.Manner(verbose=True)) == 0
    said = capsys.readouterr().err
    assert "it was left open (ResourceWarning, " in said and "it goes (DeprecationWarning, " in said


# Readers that go away, and signals


def shell(script: str, *arguments: object) -> Ended:
    done = subprocess.run(
        ["bash", "-c", script, "bash", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "arguments", [["info", "clip.mkv"], ["--help"], ["train", "m", "--help"]], ids=" ".join
)
def test_a_reader_that_goes_away_ends_a_command_quietly(clip, tmp_path, arguments):
    script = f'cd "$1"; "$2" {" ".join(arguments)} | true; exit "${{PIPESTATUS[0]}}"'
    ended = shell(script, tmp_path, COMMAND)
    assert ended.code in {0, 141}, ended
    assert not ended.err


def test_output_into_a_pipe_without_reader_has_the_status_of_a_broken_pipe(clip):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([COMMAND, "info", clip], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_errors_into_a_pipe_without_reader_are_no_traceback(unbuffered):
    """Also where Python keeps what it could not write, and would try once more at its end."""
    reading, writing = os.pipe()
    os.close(reading)
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    command = [COMMAND, "nonsense"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=writing, env=environment, check=False)
    os.close(writing)
    assert (done.returncode, done.stdout) == (141, b"")


def test_a_full_disk_under_standard_output_is_one_line(clip):
    ended = shell('"$1" info "$2" > /dev/full', COMMAND, clip)
    assert refused(ended, 1, "No space left")
    assert len(ended.err.splitlines()) == 1


def test_commands_need_no_docstrings(monkeypatch):
    for command in COMMANDS:  # as `python -OO` leaves them
        monkeypatch.setattr(command, "__doc__", None)
    assert "encode" in make_parser().format_help()


def test_closed_standard_streams_are_no_traceback(clip):
    assert shell('"$1" info "$2" >&- 2>&-', COMMAND, clip).code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda each: each.name)
def test_a_signal_while_arguments_are_parsed_is_one_line(monkeypatch, capsys, number):
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setattr("tubelet.cli.parser.make_parser", lambda _: signal.raise_signal(number))
    try:
        assert main(["models"]) == 130
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert capsys.readouterr().err == "tubelet: error: interrupted; nothing half-written was kept.\n"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
def test_a_signal_at_any_moment_of_a_start_is_one_line_or_nothing(clip, tmp_path, number):
    # Python's own start, before any of our code, ends as it likes; from then on it is ours to say.
    script = "import sys, tubelet.cli.main as cli; print('begun', flush=True); sys.exit(cli.main())"
    arguments = [sys.executable, "-c", script, "encode", clip, "--tokenizer", "klt-4x8x8", "--force", "-o"]
    for moment in range(40):
        with subprocess.Popen(
            [*arguments, tmp_path / "a.tube"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moment * 0.04)
            process.send_signal(number)
            _, err = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in err, (moment, err)
        assert process.returncode in {0, 130, -number}, (moment, err)
        assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


def test_packages_speak_through_loggers_of_their_own(cli, clip, small_folder, tmp_path):
    log = tmp_path / "a.log"
    encode = ("encode", clip, "-o", tmp_path / "a.tube", "--tokenizer", small_folder)
    ended = cli(*encode, "--verbose", "--log-file", log)
    assert re.search(r"^tubelet: checkpoint: .* read from ", ended.err, re.M)
    assert re.search(r"^tubelet: codec: .* channels .* step 1, no budget", ended.err, re.M)
    assert re.search(r" debug codec: ", log.read_text(encoding="utf-8"))
    assert "codec: " not in cli(*encode, "--force").err
