"""Clips of a folder are all found, or it is said why not."""

import os

import pytest

from tubelet.data.clips import find_clips
from tubelet.errors import OptionError, VideoError
from tubelet.video.probe import probe


def test_clips_are_found_in_all_folders_below_but_hidden_ones(tmp_path):
    for name in (
        "b.mp4",
        "sub/a.MKV",
        "sub/deep/c.npy",
        ".hidden/d.mp4",
        "sub/.e.mp4",
        "notes.txt",
        "f.mp4/g.gif",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    found = [path.relative_to(tmp_path).as_posix() for path in find_clips(tmp_path)]
    assert found == ["b.mp4", "f.mp4/g.gif", "sub/a.MKV", "sub/deep/c.npy"]


def test_links_to_folders_are_followed_and_none_of_them_twice_or_in_a_circle(tmp_path):
    data, disk = tmp_path / "around" / "data", tmp_path / "disk"
    for path in (data / "own" / "a.mp4", disk / "deep" / "b.mp4", disk / ".old" / "c.mp4"):
        path.parent.mkdir(parents=True)
        path.touch()
    for link, leads_to in (
        (data / "first", disk),
        (data / "second", disk / "deep"),
        (data / "latest", data / "own"),  # what has a name of its own there
        (data / "here", data),
        (data / ".hidden", disk),
        (disk / "back", data),
        (disk / "deep" / "up", disk),
        (disk / "itself", disk / "itself"),
    ):
        link.symlink_to(leads_to)

    def found() -> list[str]:
        return [path.relative_to(data).as_posix() for path in find_clips(data)]

    assert found() == ["first/deep/b.mp4", "own/a.mp4", "second/b.mp4"]
    (data / "around").symlink_to(tmp_path / "around")  # it holds the folder that is searched
    (tmp_path / "around" / "d.mp4").touch()
    assert found() == ["around/d.mp4", "first/deep/b.mp4", "own/a.mp4", "second/b.mp4"]


def test_a_link_to_what_is_not_there_is_a_clip_that_is_missing(tmp_path):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "nowhere.mp4").symlink_to("nothing")
    (tmp_path / "itself.mp4").symlink_to("itself.mp4")
    (tmp_path / "folder.mp4").symlink_to(".")
    assert [path.name for path in find_clips(tmp_path)] == ["a.mp4", "itself.mp4", "nowhere.mp4"]
    with pytest.raises(VideoError, match=r"nowhere\.mp4 is a link to nothing, which is not there"):
        probe(tmp_path / "nowhere.mp4")


@pytest.mark.parametrize("suffix", [".y4m", ".h264", ".hevc", ".vob", ".asf", ".mjpeg", ".apng"])
def test_what_video_is_called_elsewhere_is_a_clip_too(tmp_path, suffix):
    (tmp_path / f"a{suffix}").touch()
    assert [path.name for path in find_clips(tmp_path)] == [f"a{suffix}"]


def test_a_folder_that_may_not_be_read_is_named_and_not_passed_over(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "locked").mkdir()
    scan = os.scandir

    def scandir(path):
        if os.fspath(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(OptionError, match=r"the folder .*locked cannot be read: Permission denied"):
        find_clips(tmp_path)
