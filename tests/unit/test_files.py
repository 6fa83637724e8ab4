import errno

import pytest

from tubelet.errors import OutputError
from tubelet.files import check_target, replacing


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


def test_other_errors_stay_what_they_are(target):
    with pytest.raises(OSError, match="broken"), replacing(target, force=False):
        raise OSError(errno.EIO, "broken")


def test_a_folder_is_no_target(tmp_path):
    with pytest.raises(OutputError, match=r"is a folder; .* Give a file name inside it"):
        check_target(tmp_path, force=True)


@pytest.mark.parametrize("parent", ["missing", "file"])
def test_a_missing_folder_is_named(tmp_path, parent):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=f"{parent} is no folder; .* Create it first"):
        check_target(tmp_path / parent / "x", force=True)
