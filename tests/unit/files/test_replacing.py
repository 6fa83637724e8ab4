import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from tubelet.errors import OutputError
from tubelet.files import replacing, replacing_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def target(tmp_path):
    return tmp_path / "result.bin"


def test_the_target_appears_whole_when_the_body_ends(target):
    with replacing(target, force=False) as path:
        path.write_bytes(b"half")
        assert not target.exists()
        path.write_bytes(b"whole")
    assert target.read_bytes() == b"whole"
    assert names(target.parent) == ["result.bin"]


def test_the_temporary_file_keeps_the_suffix_and_the_folder(target):
    with replacing(target, force=False) as path:
        assert (path.suffix, path.parent) == (target.suffix, target.parent)
        path.touch()


def test_an_existing_target_is_not_overwritten_unasked(target):
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"nothing is overwritten unasked\. Use --force"):
        replacing(target, force=False).__enter__()
    assert target.read_bytes() == b"old"


def test_an_existing_target_is_replaced_if_asked(target):
    target.write_bytes(b"old")
    with replacing(target, force=True) as path:
        path.write_bytes(b"new")
    assert target.read_bytes() == b"new"


def test_a_target_that_appears_meanwhile_is_not_overwritten(target):
    with pytest.raises(OutputError, match="appeared meanwhile"), replacing(target, force=False) as path:
        path.write_bytes(b"ours")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert names(target.parent) == ["result.bin"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
@pytest.mark.parametrize("before", [None, b"old"])
def test_an_interrupted_body_leaves_everything_as_it_was(target, error, before):
    if before is not None:
        target.write_bytes(before)
    with pytest.raises(type(error)), replacing(target, force=True) as path:
        path.write_bytes(b"half")
        raise error
    assert names(target.parent) == ([] if before is None else ["result.bin"])
    assert before is None or target.read_bytes() == before


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_named_with_its_cure(target, code):
    with (
        pytest.raises(OutputError, match=r"no room for .*result\.bin: .*\. Free space first\."),
        replacing(target, force=False) as path,
    ):
        path.write_bytes(b"half")
        raise OSError(code, "full")
    assert not names(target.parent)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_folder_that_refuses_is_named_with_its_cure(target, code):
    with pytest.raises(OutputError, match="Choose another folder"), replacing(target, force=False):
        raise OSError(code, "refused")


def test_a_disk_that_fails_is_named(target):
    with (
        pytest.raises(OutputError, match=r"result\.bin cannot be written: broken\. Choose another place"),
        replacing(target, force=False),
    ):
        raise OSError(errno.EIO, "broken")


def test_a_short_write_of_numpy_is_a_full_disk(target):
    with pytest.raises(OutputError, match="no room"), replacing(target, force=False):
        raise OSError("100 requested and 7 written")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
@pytest.mark.parametrize("folder", [Path("/proc/none"), Path("/proc/none/below")], ids=str)
def test_a_place_where_nothing_can_be_made_is_named(folder):
    message = "cannot be written: nothing can be made in that folder. Choose another"
    with pytest.raises(OutputError, match=f"/proc/none.bin {message}"):
        replacing(Path("/proc/none.bin"), force=False).__enter__()
    with pytest.raises(OutputError, match=f"{folder} {message}"):
        replacing_folder(folder, holds=(), force=False).__enter__()


def test_other_errors_stay_what_they_are(target):
    with pytest.raises(FileNotFoundError, match="source"), replacing(target, force=False):
        raise OSError(errno.ENOENT, "no such file", "source")


def test_a_disk_that_lets_nothing_be_removed_does_not_hide_why(target, monkeypatch):
    def refuse(*_args, **_options):
        raise OSError(errno.EROFS, "read-only")

    with pytest.raises(OutputError, match="read-only"), replacing(target, force=False) as path:
        monkeypatch.setattr(type(path), "unlink", refuse)
        raise OSError(errno.EROFS, "read-only")


def test_a_link_is_written_through(target):
    real = target.with_name("real.bin")
    real.write_bytes(b"old")
    target.symlink_to(real.name)
    with replacing(target, force=True) as path:
        path.write_bytes(b"new")
    assert target.is_symlink()
    assert real.read_bytes() == b"new"
    assert names(target.parent) == ["real.bin", "result.bin"]


def test_a_link_to_nothing_makes_the_file_that_it_leads_to(target, tmp_path):
    (tmp_path / "there").mkdir()
    target.symlink_to("there/new.bin")
    with replacing(target, force=False) as path:
        path.write_bytes(b"new")
    assert target.is_symlink()
    assert (tmp_path / "there" / "new.bin").read_bytes() == b"new"
    assert names(tmp_path / "there") == ["new.bin"]


def test_the_mode_of_a_file_that_is_replaced_stays(target):
    target.touch()
    target.chmod(0o640)
    with replacing(target, force=True) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.write_bytes(b"new")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_new_file_has_the_mode_that_the_user_wants_for_files(target):
    before = os.umask(0o027)
    try:
        with replacing(target, force=False):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_pipe_that_somebody_reads_is_written_into_and_stays_a_pipe(target):
    os.mkfifo(target)
    reader = os.open(target, os.O_RDONLY | os.O_NONBLOCK)
    with replacing(target, force=False) as path, path.open("r+b") as file:
        file.write(b"second")
        file.seek(0)
        file.write(b"first!")
    assert os.read(reader, 100) == b"first!"
    os.close(reader)
    assert target.is_fifo()
    assert names(target.parent) == ["result.bin"]


def test_a_pipe_that_nobody_reads_is_refused_at_once(target):
    os.mkfifo(target)
    with pytest.raises(OutputError, match="nobody reads from"):
        replacing(target, force=True).__enter__()
    assert target.is_fifo()


def test_a_reader_that_goes_away_is_named(target):
    os.mkfifo(target)
    reader = os.open(target, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OutputError, match="Broken pipe"), replacing(target, force=False) as path:
        path.write_bytes(b"late")
        os.close(reader)


def test_of_two_at_once_the_first_stays(target, monkeypatch):
    # Also where the system cannot rename without replacing.
    for known in (True, False):
        monkeypatch.setattr("tubelet.files.disk._IS_LINUX", known and sys.platform.startswith("linux"))
        with pytest.raises(OutputError, match="appeared meanwhile"), replacing(target, force=False) as path:
            path.write_bytes(b"second")
            with replacing(target, force=False) as other:
                other.write_bytes(b"first")
        assert target.read_bytes() == b"first"
        assert names(target.parent) == ["result.bin"]
        target.unlink()


def test_what_must_outlive_a_loss_of_power_is_on_the_disk_before_it_has_its_name(target, monkeypatch):
    seen = []

    def sync(descriptor):
        what = os.fstat(descriptor)
        seen.append(("folder" if stat.S_ISDIR(what.st_mode) else "file", target.exists()))

    monkeypatch.setattr(os, "fsync", sync)
    with replacing(target, force=False, durable=True) as path:
        path.write_bytes(b"dear")
    assert seen == [("file", False), ("folder", True)]
