"""Files that forked processes share: each reads where it was itself."""

import multiprocessing
import os

import pytest

from tubelet.bitstream.placed import open_placed

BYTES = bytes(range(256)) * 1000


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "some.bin"
    path.write_bytes(BYTES)
    return path


def test_another_process_does_not_move_where_this_one_reads(path):
    with open_placed(path) as file:
        begin = file.read(10)
        process = multiprocessing.get_context("fork").Process(target=file.read)
        process.start()
        process.join()
        assert process.exitcode == 0
        assert begin + file.read() == BYTES


def test_it_reads_and_seeks_as_files_do(path):
    with open_placed(path) as file, path.open("rb") as plain:
        for offset, whence, size in (
            (5, os.SEEK_SET, 3),
            (70_000, os.SEEK_CUR, 20_000),
            (-30, os.SEEK_END, 100),
            (-90_000, os.SEEK_CUR, 7),
            (0, os.SEEK_SET, -1),
            (300_000, os.SEEK_SET, 5),
        ):
            assert file.seek(offset, whence) == plain.seek(offset, whence)
            assert file.read(size) == plain.read(size)
            assert file.tell() == plain.tell()
        assert file.readable()
        assert file.seekable()
        assert not file.writable()
    assert file.closed


@pytest.mark.parametrize("name", ["missing.bin", "."])
def test_what_is_no_file_is_refused_as_files_are(path, name):
    with pytest.raises(OSError, match=r"missing\.bin|directory"):
        open_placed(path.parent / name)
