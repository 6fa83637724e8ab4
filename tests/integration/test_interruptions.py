"""Whoever interrupts work that the same command goes on with is told so."""

import signal

import pytest
from commands import refused

PLACES = {
    "encode-dataset": ("tubelet.jobs.bulk.run.encode_dataset", ["--tokenizer", "klt-4x8x8"]),
    "evaluate": ("tubelet.evaluate.run.evaluate", ["--with", "klt-4x8x8@4"]),
    "prepare": ("tubelet.cli.command_prepare.prepared", []),
    "encode": ("tubelet.jobs.files.run.make_files", ["--tokenizer", "klt-4x8x8"]),
    "tokenize": ("tubelet.jobs.files.run.make_files", ["--tokenizer", "tubelet-fsq"]),
}
"""Where the work of a command begins, and options that it needs."""


@pytest.fixture
def interrupted(monkeypatch, cli, video_file, tmp_path):
    """Run a command on a folder of clips; a signal comes in the middle of its work."""
    folder = tmp_path / "clips"
    folder.mkdir()
    video_file().rename(folder / "a.mkv")

    def run(name: str, *more: str):
        place, options = PLACES[name]
        monkeypatch.setattr(place, lambda *_given, **_named: signal.raise_signal(signal.SIGTERM))
        return cli(name, folder, "-o", tmp_path / "out", *options, *more)

    return run


@pytest.mark.parametrize("name", PLACES)
def test_the_cure_of_an_interruption_is_the_same_command(interrupted, name):
    ended = interrupted(name)
    assert refused(ended, 130, "interrupted; nothing half-written was kept", "command again to go on")


@pytest.mark.parametrize("name", ["evaluate", "prepare", "encode", "tokenize"])
def test_what_was_begun_by_force_goes_on_without_it(interrupted, name):
    ended = interrupted(name, "--force")
    assert refused(ended, 130, "the same command again, without --force, to go on: what is done is kept.")
