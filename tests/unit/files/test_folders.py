import os
import stat
from pathlib import Path

import pytest

from tubelet.errors import OutputError
from tubelet.files import disk, replacing_folder
from tubelet.files.leftovers import sweep

HOLDS = ("a", "b")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["swaps names", "cannot swap names"])
def target(tmp_path, request, monkeypatch):
    if request.param == "cannot swap names":
        monkeypatch.setattr(disk, "_IS_LINUX", False)
    return tmp_path / "result.v1"


def fill(folder: Path, text: str) -> None:
    for name in HOLDS:
        (folder / name).write_text(text)


def content(folder: Path) -> list[str]:
    return [(folder / name).read_text() for name in HOLDS]


def test_a_folder_appears_whole(target):
    with replacing_folder(target, holds=HOLDS, force=False) as path:
        fill(path, "new")
        assert not target.exists()
    assert content(target) == ["new", "new"]
    assert names(target.parent) == ["result.v1"]


def test_a_folder_is_replaced_as_a_whole_and_keeps_its_mode(target):
    target.mkdir(mode=0o750)
    fill(target, "old")
    with replacing_folder(target, holds=HOLDS, force=True) as path:
        fill(path, "new")
        assert content(target) == ["old", "old"]
    assert content(target) == ["new", "new"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o750
    assert names(target.parent) == ["result.v1"]


def test_an_interrupted_body_leaves_the_folder_as_it_was(target):
    target.mkdir()
    fill(target, "old")
    with pytest.raises(KeyboardInterrupt), replacing_folder(target, holds=HOLDS, force=True) as path:
        fill(path, "new")
        raise KeyboardInterrupt
    assert content(target) == ["old", "old"]
    assert names(target.parent) == ["result.v1"]


def test_files_that_appear_meanwhile_are_not_lost(target):
    with (
        pytest.raises(OutputError, match=r"other files \(theirs\)"),
        replacing_folder(target, holds=HOLDS, force=True) as path,
    ):
        fill(path, "new")
        target.mkdir()
        (target / "theirs").touch()
    assert names(target) == ["theirs"]


def test_a_link_to_a_folder_stays_a_link(target):
    target.symlink_to("real")
    with replacing_folder(target, holds=HOLDS, force=False) as path:
        fill(path, "new")
    assert target.is_symlink()
    assert content(target.parent / "real") == ["new", "new"]


def test_a_kill_between_two_renames_is_made_good_by_the_next_run(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "_IS_LINUX", False)
    target = tmp_path / "result.v1"
    target.mkdir()
    fill(target, "old")
    renamed = Path.rename

    def stop(path, new):
        if new == target:
            os._exit(9)
        return renamed(path, new)

    child = os.fork()
    if not child:
        monkeypatch.setattr(Path, "rename", stop)
        with replacing_folder(target, holds=HOLDS, force=True) as path:
            fill(path, "new")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not target.exists()
    sweep(tmp_path)
    assert content(target) == ["old", "old"]
    assert names(tmp_path) == ["result.v1"]
