"""Which frames a protocol compares, and what a manifest says of clips."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tubelet.errors import OptionError, ShapeError
from tubelet.evaluate.clips import fitted, open_clip, windows
from tubelet.evaluate.frame_buffer import FrameBuffer
from tubelet.evaluate.protocols import PROTOCOLS, find_protocol
from tubelet.evaluate.tags import find_manifest, read_tags

SHORT = find_protocol("short256x33")


def test_the_first_frames_are_read_and_shrunk(video_file):
    path = video_file(frames=9, height=40, width=60)
    clip = open_clip(path, replace(SHORT, frames=5, short_side=20))
    assert clip.frames.shape == (5, 20, 30, 3)
    assert clip.rate == 25
    whole = open_clip(path, find_protocol("native-all"))
    assert whole.frames.shape == (9, 40, 60, 3)
    np.testing.assert_array_equal(fitted(whole.frames, replace(SHORT, short_side=20))[:5], clip.frames)


def test_small_frames_are_not_enlarged(smooth):
    clip = smooth(2, 20, 30)
    np.testing.assert_array_equal(fitted(clip, SHORT), clip)
    with pytest.raises(ShapeError, match="enlarges none"):
        fitted(clip, find_protocol("vidtok-mcljcv"))


def test_the_centre_is_cut_out(smooth):
    clip = smooth(2, 20, 31)
    np.testing.assert_array_equal(fitted(clip, replace(SHORT, crop=10)), clip[:, 5:15, 10:20])


def test_windows_cover_a_clip_and_repeat_its_last_frame(smooth):
    clip = smooth(7, 4, 4)
    parts = list(windows(clip, replace(SHORT, window=3)))
    assert [len(part) for part in parts] == [3, 3, 3]
    np.testing.assert_array_equal(np.concatenate(parts)[:7], clip)
    np.testing.assert_array_equal(parts[2], clip[[6, 6, 6]])
    assert [len(part) for part in windows(clip, SHORT)] == [7]


def test_a_buffer_gives_back_what_it_took(smooth):
    clip = smooth(7, 6, 5)
    buffer = FrameBuffer(height=6, width=5)
    for begin in (0, 3, 4):
        buffer.add(clip[begin : {0: 3, 3: 4, 4: 7}[begin]])
    np.testing.assert_array_equal(buffer.frames(), clip)
    with pytest.raises(ShapeError):
        buffer.add(clip[:, :3])
    with pytest.raises(ShapeError, match="no frames"):
        FrameBuffer(height=6, width=5).frames()


def test_every_protocol_says_all_of_itself_in_a_line():
    lines = {protocol.line for protocol in PROTOCOLS.values()}
    assert len(lines) == len(PROTOCOLS)
    assert "33 frames" in SHORT.line and "256" in SHORT.line and SHORT.line.startswith("short256x33 v2: ")
    assert SHORT.to_json()["line"] == SHORT.line
    with pytest.raises(OptionError, match="native-all"):
        find_protocol("quick")


def test_manifests_are_tables_or_lists(tmp_path):
    rows = [
        {"file": "a.mp4", "motion": "low", "kind": "camera", "sha256": "…"},
        {"file": "b.mp4", "motion": ""},
    ]
    expected = {"a.mp4": {"motion": "low", "kind": "camera"}, "b.mp4": {}}
    (tmp_path / "tags.json").write_text(json.dumps(rows))
    (tmp_path / "manifest.csv").write_text("file,motion,kind\na.mp4,low,camera\nb.mp4,,\n")
    assert read_tags(tmp_path / "tags.json") == expected
    found = find_manifest(tmp_path)
    assert found is not None
    assert read_tags(found) == expected


@pytest.mark.parametrize("text", ["name,motion\na,low\n", "[1]", '{"file": 1}', "\x00"])
def test_what_is_no_manifest_is_refused(tmp_path, text):
    for suffix in (".csv", ".json"):
        path = tmp_path / f"manifest{suffix}"
        path.write_text(text)
        if suffix == ".json" or text.startswith("name"):
            with pytest.raises(OptionError, match="not a manifest"):
                read_tags(path)
