"""What the system says of a file tells it from one that takes its place."""

import os

import pytest

from tubelet.files.signature import file_signature


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    os.utime(path, ns=(1, 1))
    return path


def test_a_file_that_nothing_touches_keeps_its_signature(file):
    found = file_signature(file)
    assert found is not None
    assert (found, found.bytes, found.changed) == (file_signature(str(file)), 3, 1)


def test_other_bytes_of_the_same_size_and_time_are_seen_by_the_time_of_status_change_alone(file):
    before = file_signature(file)
    file.write_bytes(b"xyz")
    os.utime(file, ns=(1, 1))
    after = file_signature(file)
    assert before is not None and after is not None
    assert after != before
    assert after.whatever_its_status == before.whatever_its_status


def test_another_mode_or_name_is_another_status_alone(file, tmp_path):
    before = file_signature(file)
    file.chmod(0o600)
    os.link(file, tmp_path / "b.bin")
    after = file_signature(file)
    assert before is not None and after is not None
    assert after != before
    assert after.whatever_its_status == before.whatever_its_status


@pytest.mark.parametrize("size", [2, 3])
def test_a_file_that_takes_its_place_is_another_whatever_its_status(file, tmp_path, size):
    before = file_signature(file)
    other = tmp_path / "c.bin"
    other.write_bytes(b"." * size)
    os.utime(other, ns=(1, 1))
    other.replace(file)
    after = file_signature(file)
    assert before is not None and after is not None
    assert after.whatever_its_status != before.whatever_its_status


@pytest.mark.parametrize("name", ["nothing.bin", "a\0b", "a" * 5000])
def test_what_is_not_there_or_can_have_no_such_name_has_none(tmp_path, name):
    assert file_signature(f"{tmp_path}/{name}") is None
