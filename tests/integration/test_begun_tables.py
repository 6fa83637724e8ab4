"""A table of tokens that is interrupted is gone on with by the same command, and loses nothing on the way."""

import signal
from contextlib import nullcontext

import pytest
from commands import refused

from tubelet.codec.tokens.begun import begun_path
from tubelet.codec.tokens.table import TokenTable
from tubelet.codec.tokens.tokenize import tokenize_files

NAMES = ["0.mkv", "1.mkv", "2.mkv", "3.mkv"]


@pytest.fixture
def clips(video_file):
    return [video_file(name, frames=5 + number) for number, name in enumerate(NAMES)]


@pytest.fixture
def make(clips, token_folder, tmp_path):
    """Tokenize the clips into a table, until an interruption comes before one; give what was kept."""

    def run(stop=None, name="clips.parquet", wanted=None, then=lambda: None, **options):
        kept = []

        def opened(source):
            then()
            if source.name == stop:
                raise KeyboardInterrupt
            return nullcontext(source)

        options = {"tokenizer": token_folder, "extend": True, "on_keep": kept.append} | options
        with pytest.raises(KeyboardInterrupt) if stop else nullcontext():
            tokenize_files(wanted or clips, tmp_path / name, opened=opened, **options)
        return [path.name for path in kept]

    return run


@pytest.fixture
def begun(tmp_path):
    """The table of what an interruption kept."""
    return begun_path(tmp_path / "clips.parquet")


def sources(path):
    with TokenTable(path) as table:
        return [clip.facts.source for clip in table]


def tables(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".mkv")


def test_the_same_run_goes_on_where_an_interruption_was(make, begun, tmp_path):
    make(name="whole.parquet")
    assert make(stop="2.mkv") == []
    assert not (tmp_path / "clips.parquet").exists() and sources(begun) == NAMES[:2]
    assert make() == NAMES[:2]
    assert (tmp_path / "clips.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert tables(tmp_path) == ["clips.parquet", "whole.parquet"]


def test_an_interruption_before_the_first_clip_keeps_nothing(make, tmp_path):
    make(stop="0.mkv")
    assert tables(tmp_path) == []


@pytest.mark.parametrize("second", NAMES[:3])
def test_a_second_interruption_loses_nothing_of_the_first(make, begun, second):
    make(stop="2.mkv")
    make(stop=second)
    assert sorted(sources(begun)) == NAMES[:2]
    assert make(stop="3.mkv") == NAMES[:2]
    assert sources(begun) == NAMES[:3]


def test_a_table_that_is_extended_is_gone_on_with_too(make, begun, clips, tmp_path):
    make(wanted=clips[:1])
    before = (tmp_path / "clips.parquet").read_bytes()
    make(stop="3.mkv")
    assert (tmp_path / "clips.parquet").read_bytes() == before
    assert make() == NAMES[:3]
    assert sources(tmp_path / "clips.parquet") == NAMES and not begun.exists()


def test_a_clip_that_changed_meanwhile_is_tokenized_again(make, clips):
    make(stop="2.mkv")
    clips[0].write_bytes(clips[3].read_bytes())
    assert make() == ["1.mkv"]


@pytest.mark.parametrize("damage", ["cut", "junk", "weights"])
def test_what_cannot_be_gone_on_with_is_left_out_and_removed_at_the_end(make, begun, tmp_path, damage):
    make(stop="2.mkv", **({"tokenizer": "tubelet-fsq"} if damage == "weights" else {}))
    if damage != "weights":
        begun.write_bytes(b"junk" if damage == "junk" else begun.read_bytes()[:-9])
    assert make() == []
    assert tables(tmp_path) == ["clips.parquet"]


def test_of_two_runs_at_once_each_reads_what_was_there_when_it_began(make, begun, tmp_path):
    make(name="whole.parquet")
    make(stop="2.mkv")
    other = []

    def meanwhile():
        if not other:
            other.append(begun.read_bytes())
            make(stop="3.mkv")

    assert set(make(then=meanwhile)) <= set(NAMES[:2])
    assert (tmp_path / "clips.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert sources(begun) == NAMES[:3]  # the other run's, for its own next one
    assert make() == NAMES
    assert not begun.exists()


@pytest.mark.parametrize("options", [{"extend": False}, {"force": True}])
def test_who_does_not_go_on_finds_nothing_kept_and_takes_nothing(make, begun, tmp_path, options):
    make(stop="2.mkv", **options)
    assert tables(tmp_path) == []
    make(stop="2.mkv")
    assert make(**options) == []
    assert sources(tmp_path / "clips.parquet") == NAMES


def test_a_disk_that_refuses_leaves_the_interruption_as_it_is(make, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tubelet.codec.tokens.table.TokenTableWriter._flush", full)
    make(stop="2.mkv")
    assert tables(tmp_path) == []


def test_the_command_says_that_it_goes_on(cli, clips, token_folder, tmp_path, monkeypatch):
    command = ("tokenize", *clips, "-o", tmp_path / "clips.parquet", "--tokenizer", token_folder)
    with monkeypatch.context() as patch:
        patch.setattr("tubelet.codec.tokens.tokenize._taken", _stopping_at("2.mkv"))
        assert refused(cli(*command), 130, "the same command again to go on: what is done is kept.")
    ended = cli(*command)
    assert ended.code == 0 and "done before  2 of 4 clips" in ended.out
    with monkeypatch.context() as patch:
        patch.setattr("tubelet.codec.tokens.tokenize._taken", _stopping_at("2.mkv"))
        ended = cli(*command, "--force")
    assert refused(ended, 130, "nothing half-written was kept") and "go on" not in ended.err


def _stopping_at(last):
    def taken(*_, name, **__):
        if name == last:
            signal.raise_signal(signal.SIGTERM)

    return taken
