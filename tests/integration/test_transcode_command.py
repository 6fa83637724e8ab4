"""`tubelet transcode`: what it says, and its exit codes."""

import json

import numpy as np
import pytest
from commands import refused


@pytest.fixture
def tube(cli, video_file, small_folder, tmp_path):
    old = tmp_path / "old.tube"
    assert cli("encode", video_file(frames=30), "-o", old, "--tokenizer", small_folder).code == 0
    return old


def test_the_decoded_video_is_the_same(cli, tube, small_folder, tmp_path):
    ended = cli("transcode", tube, "-o", tmp_path / "new.tube", "--json", tmp_path / "new.json")
    assert (ended.code, ended.err) == (0, "")
    assert "3, before 1" in ended.out
    for name in ("old", "new"):
        arguments = ("decode", tmp_path / f"{name}.tube", "-o", tmp_path / f"{name}.npy")
        assert cli(*arguments, "--tokenizer", small_folder).code == 0
    assert np.array_equal(np.load(tmp_path / "new.npy"), np.load(tmp_path / "old.npy"))
    figures = json.loads((tmp_path / "new.json").read_text())["figures"]
    assert (figures["version_before"], figures["version"], figures["complete"]) == (1, 3, True)
    assert figures["bytes_total"] == (tmp_path / "new.tube").stat().st_size
    assert json.loads(cli("info", tmp_path / "new.tube", "--json").out)["format"] == "tube 3"


def test_fewer_channels_make_a_smaller_file(cli, tube, tmp_path):
    assert cli("transcode", tube, "-o", tmp_path / "new.tube", "--channels", "4").code == 0
    assert (tmp_path / "new.tube").stat().st_size < tube.stat().st_size
    assert json.loads(cli("info", tmp_path / "new.tube", "--json").out)["channels"] == 4
    assert refused(cli("transcode", tube, "-o", tmp_path / "b.tube", "--channels", "13"), 2, "holds 1 to 12")


def test_a_file_that_is_cut_short_is_transcoded_as_far_as_it_goes(cli, tube, tmp_path):
    tube.write_bytes(tube.read_bytes()[:-10])
    ended = cli("transcode", tube, "-o", tmp_path / "new.tube")
    assert ended.code == 1
    assert "cut short" in ended.err
    assert cli("info", tmp_path / "new.tube").code == 0


def test_what_is_damaged_is_refused_and_nothing_is_written(cli, tube, tmp_path):
    data = bytearray(tube.read_bytes())
    data[len(data) // 2] ^= 1
    tube.write_bytes(data)
    assert refused(cli("transcode", tube, "-o", tmp_path / "new.tube"), 1, "damaged")
    assert not (tmp_path / "new.tube").exists()


def test_what_exists_is_replaced_on_request_only(cli, tube, tmp_path):
    new = tmp_path / "new.tube"
    new.touch()
    assert refused(cli("transcode", tube, "-o", new), 1, "--force")
    assert cli("transcode", tube, "-o", new, "--force").code == 0
    assert refused(cli("transcode", tube, "-o", tube, "--force"), 2, "is also an input")
    assert refused(cli("transcode", tmp_path / "none.tube", "-o", new, "--force"), 1, "none.tube")
