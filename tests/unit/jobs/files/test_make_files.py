import json
import os
from pathlib import Path

import pytest

from tubelet.errors import OptionError, OutputError, VideoError
from tubelet.files import locked
from tubelet.jobs.files.done import JOURNAL
from tubelet.jobs.files.plan import plan_files
from tubelet.jobs.files.run import make_files
from tubelet.jobs.sources import Row, read_sources
from tubelet.video.ranges import path_of


class KilledError(BaseException):
    """The process would have ended here."""


class Maker:
    """Writes what it reads, in capitals; fails of ``junk``; ends after so many files."""

    def __init__(self):
        self.made = []
        self.most = None

    def __call__(self, video, target):
        if self.most is not None and len(self.made) >= self.most:
            raise KilledError
        text = path_of(video).read_text()
        if text == "junk":
            raise VideoError("it is junk")
        if text == "fault":
            raise ValueError("what?")
        target.write_text(f"{text.upper()} {video}".replace(str(path_of(video)), ""))
        self.made.append(path_of(video).name)
        return {"letters": len(text)}


@pytest.fixture
def maker():
    return Maker()


@pytest.fixture
def clips(tmp_path):
    for number, text in enumerate(["one", "two", "three", "four"]):
        path = tmp_path / "clips" / ("sub" if number == 3 else "") / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "clips"


@pytest.fixture
def make(maker, tmp_path):
    def run(*sources, settings="usual", to="out", **more):
        rows = read_sources([str(each) for each in sources], missing_fail=True)
        folder = tmp_path / to
        return make_files(
            plan_files(rows, folder, ".tube"), folder, maker, made_from={"settings": settings}, **more
        )

    return run


def bytes_of(folder: Path):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_files_lie_as_their_clips_do_and_figures_come_back(make, clips, tmp_path):
    report = make(clips)
    assert set(bytes_of(tmp_path / "out")) == {"0.tube", "1.tube", "2.tube", "sub/3.tube"}
    assert report.made[tmp_path / "out" / "sub" / "3.tube"] == {"letters": 4}
    again = make(clips)
    assert not again.made and again.kept == report.made


def test_a_bad_clip_costs_the_others_nothing_and_is_tried_again(make, maker, clips, tmp_path):
    (clips / "1.mp4").write_text("junk")
    (clips / "2.mp4").write_text("fault")
    report = make(clips, tmp_path / "gone.mp4")
    assert {Path(name).name: reason for name, reason in report.failed.items()} == {
        "1.mp4": "it is junk",
        "2.mp4": "ValueError: what?",
        "gone.mp4": f"{tmp_path / 'gone.mp4'}: no such file. Check the spelling and the folder.",
    }
    assert set(bytes_of(tmp_path / "out")) == {"0.tube", "sub/3.tube"}
    (clips / "1.mp4").write_text("good")
    maker.made.clear()
    assert set(make(clips).failed) == {str(clips / "2.mp4")} and maker.made == ["1.mp4"]


def test_the_first_failure_ends_the_work_if_that_is_asked_for_and_what_is_done_stays(make, clips, tmp_path):
    (clips / "1.mp4").write_text("junk")
    with pytest.raises(VideoError, match=r"1\.mp4: it is junk"):
        make(clips, on_error="stop")
    assert set(bytes_of(tmp_path / "out")) == {"0.tube"}


def test_killed_after_any_number_of_files_it_goes_on_to_the_same_bytes(make, maker, clips, tmp_path):
    make(clips, to="whole")
    for most in range(4):
        maker.made.clear()
        maker.most = most
        with pytest.raises(KilledError):
            make(clips, to=f"out{most}")
        # A kill while a line is written leaves half of it.
        if most:
            with (tmp_path / f"out{most}" / JOURNAL).open("a") as journal:
                journal.write('{"file": "x.tu')
        maker.made.clear()
        maker.most = None
        make(clips, to=f"out{most}")
        assert len(maker.made) == 4 - most
        assert not make(clips, to=f"out{most}").made
        assert bytes_of(tmp_path / f"out{most}") == bytes_of(tmp_path / "whole")


def test_a_kill_between_note_and_name_is_no_loss(make, maker, clips, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("tubelet.files.replace.Path.replace", lambda *_: (_ for _ in ()).throw(KilledError()))
        with pytest.raises(KilledError):
            make(clips / "0.mp4")
    assert not bytes_of(tmp_path / "out") and (tmp_path / "out" / JOURNAL).exists()
    assert make(clips / "0.mp4").made and not make(clips / "0.mp4").made


def test_a_clip_whose_bytes_changed_is_made_again_though_its_time_and_size_are_the_same(make, maker, clips):
    make(clips)
    path = clips / "0.mp4"
    before = path.stat()
    path.write_text("ONE")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    maker.made.clear()
    make(clips)
    assert maker.made == ["0.mp4"]


def test_a_clip_that_was_touched_or_is_gone_is_not_made_again(make, maker, clips):
    make(clips / "0.mp4", clips / "1.mp4")
    os.utime(clips / "0.mp4", ns=(1, 1))
    (clips / "1.mp4").unlink()
    maker.made.clear()
    assert len(make(clips / "0.mp4", clips / "1.mp4").kept) == 2 and not maker.made


@pytest.mark.parametrize("case", ["settings", "foreign", "edited", "another clip"])
def test_what_is_not_ours_is_refused_before_any_work_and_replaced_by_force(
    make, maker, clips, tmp_path, case
):
    target, options = tmp_path / "out" / "0.tube", {}
    source = clips / "0.mp4"
    if case == "foreign":
        target.parent.mkdir()
        target.write_text("mine")
    else:
        make(source)
    if case == "settings":
        options = {"settings": "others"}
    elif case == "edited":
        target.write_text("mine")
    elif case == "another clip":
        source = tmp_path / "0.mp4"
        source.write_text("zero")
    maker.made.clear()
    before = target.read_bytes()
    said = {"settings": "its settings is usual, not others", "another clip": "was made of"}
    with pytest.raises(OutputError, match=said.get(case, "exists, and is none that this command made")):
        make(clips / "1.mp4", source, **options)
    assert not maker.made and target.read_bytes() == before
    make(clips / "1.mp4", source, **options, force=True)
    assert maker.made == ["1.mp4", "0.mp4"]


def test_a_clip_that_moved_is_not_made_again(make, maker, clips, tmp_path):
    make(clips)
    clips.rename(tmp_path / "moved")
    maker.made.clear()
    assert len(make(tmp_path / "moved").kept) == 4 and not maker.made


def test_ranges_of_a_clip_have_files_of_their_own(make, clips, tmp_path):
    rows = [{"path": "0.mp4", "start": 1.5, "end": 2}, {"path": "0.mp4", "start": 2}, {"path": "0.mp4"}]
    (clips / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    make(clips / "list.jsonl")
    assert set(bytes_of(tmp_path / "out")) == {"0.1.5-2.tube", "0.2-.tube", "0.tube"}


def test_clips_that_would_be_one_file_are_refused(make, clips, tmp_path):
    (tmp_path / "0.mkv").write_text("other")
    with pytest.raises(OptionError, match=r"both called '0', and .*0\.tube is one file"):
        make(clips, tmp_path / "0.mkv")
    assert not (tmp_path / "out").exists()


def test_if_all_fail_that_is_an_error_and_nothing_is_left(make, clips, tmp_path):
    (clips / "0.mp4").write_text("junk")
    with pytest.raises(
        VideoError, match=r"none of the 2 clips gives a file; the first, .*0\.mp4: it is junk"
    ):
        make(clips / "0.mp4", tmp_path / "gone.mp4")
    assert not list((tmp_path / "out").iterdir())


def test_a_clip_that_changes_while_it_is_read_fails(make, maker, clips):
    def changing(video, target):
        path_of(video).write_text("changed")
        return maker(video, target)

    rows = read_sources([str(clips / "0.mp4")])
    folder = clips.parent / "out"
    with pytest.raises(VideoError, match="changed while it was read"):
        make_files(plan_files(rows, folder, ".tube"), folder, changing, made_from={})


def test_one_process_at_a_time(make, clips, tmp_path):
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out"), pytest.raises(OutputError, match="in use by"):
        make(clips)


def test_a_name_is_short_enough_and_paths_out_of_a_list_stay_inside(tmp_path):
    long = Row("x", "/a/x.mp4", below="x" * 300 + ".mp4")
    (clip,) = plan_files([long], tmp_path, ".tube")
    assert len(os.fsencode(clip.target.name)) <= 255
    (tmp_path / "list.txt").write_text("../../up.mp4\n/abs/olute.mp4\nsub/in.mp4\n")
    rows = read_sources([str(tmp_path / "list.txt")])
    assert [row.below for row in rows] == ["up.mp4", "olute.mp4", "sub/in.mp4"]
