"""Links that lead nowhere, or to one another in a circle, are named; what lies beside them is done."""

import pytest
from commands import refused


@pytest.fixture
def clips(video_file, tmp_path):
    """A folder of one clip, a link to nothing, and one that leads to itself."""
    (tmp_path / "clips").mkdir()
    video_file("clips/good.mkv", frames=9, height=32, width=32)
    (tmp_path / "clips" / "gone.mkv").symlink_to("nowhere.mkv")
    (tmp_path / "clips" / "circle.mkv").symlink_to("circle.mkv")
    return tmp_path / "clips"


COMMANDS = {
    "encode-dataset": ("--tokenizer", "klt-4x8x8", "--workers", 1),
    "encode": ("--tokenizer", "klt-4x8x8"),
    "tokenize": ("--tokenizer", "tubelet-fsq"),
    "prepare": ("--crop", 16, "--frames", 5),
    "evaluate": ("--with", "klt-4x8x8@4", "--workers", 1),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_links_that_lead_nowhere_fail_by_themselves(cli, clips, name, tmp_path):
    ended = cli(name, clips, "-o", tmp_path / "out", *COMMANDS[name])
    said = ended.err + "".join(path.read_text() for path in (tmp_path / "out").glob("*.json*"))
    assert ended.code == 1 and "error: " not in ended.err, ended
    assert "circle.mkv cannot be read: Too many levels of symbolic links" in said
    assert "gone.mkv is a link to nowhere.mkv, which is not there" in said


@pytest.mark.parametrize("name", COMMANDS)
def test_an_output_that_is_a_link_to_itself_is_refused(cli, video_file, name, tmp_path):
    (tmp_path / "clips").mkdir()
    video_file("clips/good.mkv", frames=9, height=32, width=32)
    (tmp_path / "out").symlink_to("out")
    ended = cli(name, tmp_path / "clips", "-o", tmp_path / "out", *COMMANDS[name])
    assert refused(ended, 1, str(tmp_path / "out")) and "fault of tubelet" not in ended.err
    assert "Choose another" in ended.err or "choose another" in ended.err


def test_data_that_are_a_link_to_themselves_are_refused(cli, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    merged = cli("dataset", "merge", tmp_path / "loop", "-o", tmp_path / "merged")
    assert refused(merged, 1, "loop", "cannot be read")
    trained = cli("train", "m", "--data", tmp_path / "loop", "-o", tmp_path / "run")
    assert refused(trained, 2, "loop holds no index.json")
