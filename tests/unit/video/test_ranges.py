from fractions import Fraction

import numpy as np
import pytest

from tubelet.errors import OptionError, VideoError
from tubelet.video.probe import probe
from tubelet.video.ranges import VideoRange, open_any, path_of, range_runs
from tubelet.video.read import open_video, read


def frames_of(video, **given):
    with open_any(video) as opened:
        return np.concatenate([run.frames for run in opened.runs(**given)])


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".npy"])
def test_ranges_that_touch_give_all_frames_once_with_times_from_zero(video_file, suffix):
    path = video_file(f"a{suffix}", frames=24)
    with open_any(path) as opened:
        second = opened.info.average_rate or 24
        whole, info = np.concatenate([run.frames for run in opened.runs()]), opened.info
    middle = float(10 / second)
    parts = [VideoRange(path, None, middle), VideoRange(path, middle, None)]
    assert np.array_equal(np.concatenate([frames_of(part) for part in parts]), whole)
    with open_any(parts[1]) as opened:
        runs = list(opened.runs(run=4))
        assert runs[0].timestamps[0] == 0 and len(runs[0].frames) == 4
        assert opened.info.audio is None and opened.info.frames is None
        assert (opened.info.height, opened.info.path) == (info.height, path)


def test_a_range_is_cut_like_a_video(video_file):
    path = video_file("a.mkv", frames=24)
    whole = np.concatenate([run.frames for run in read(path)])
    with open_any(path) as opened:
        half = float(6 / opened.info.average_rate)
    part = VideoRange(path, half, None)
    assert np.array_equal(frames_of(part, stop=5), whole[6:11])
    assert np.array_equal(frames_of(part, run=3, start=2, stop=7), whole[8:13])
    assert np.array_equal(frames_of(part, start=2), whole[8:])
    assert np.array_equal(frames_of(path, start=2, stop=4), whole[2:4])


def test_a_range_before_zero_ends_where_it_is_said(film, clip):
    wrap = 1 << 33
    path = film(
        "early.ts",
        clip(3, 16, 16),
        options={"bf": "0"},
        timestamps=[wrap - 900_000, wrap - 450_000, wrap - 90_000],
        time_base=Fraction(1, 90_000),
        container={"mpegts_copyts": "1"},
    )
    with open_video(path) as video:
        runs = list(range_runs(video, None, 7.0, run=4))
    base = probe(path).time_base
    assert [each * base for each in runs[-1].timestamps.tolist()] == [-10, -5]
    assert runs[-1].end * base == -3


def test_a_range_without_a_meaning_or_a_frame_is_named(video_file):
    path = video_file("a.mkv", frames=9)
    with pytest.raises(OptionError, match=r"#t=3,2 is not range"), open_any(VideoRange(path, 3.0, 2.0)):
        pass
    with pytest.raises(VideoError, match="no frame from 90 s to its end"):
        frames_of(VideoRange(path, 90.0, None))
    assert str(VideoRange(path, 0.5)) == f"{path}#t=0.5" and path_of(VideoRange(path)) == path
