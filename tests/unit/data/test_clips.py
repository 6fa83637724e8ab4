"""Clips of a folder are all found, or it is said why not."""

import os

import pytest

from tubelet.data.clips import find_clips
from tubelet.errors import OptionError


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
    (tmp_path / "nowhere.mp4").symlink_to("nothing")
    found = [path.relative_to(tmp_path).as_posix() for path in find_clips(tmp_path)]
    assert found == ["b.mp4", "f.mp4/g.gif", "sub/a.MKV", "sub/deep/c.npy"]


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
