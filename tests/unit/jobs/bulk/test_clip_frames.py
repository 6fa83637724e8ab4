"""The frames of a clip as a data set wants them: ranges that tile, rates that hold, mirrors."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from tubelet.errors import VideoError
from tubelet.jobs.bulk.clip_frames import open_clip_frames
from tubelet.jobs.bulk.settings import BulkSettings
from tubelet.video.read import read


def frames_of(path, start=None, end=None, *, mirrored=False, **settings):
    with open_clip_frames(path, start, end, mirrored=mirrored, settings=BulkSettings(**settings)) as opened:
        runs = list(opened.runs)
    return np.concatenate([run.frames for run in runs]), np.concatenate([run.timestamps for run in runs])


@pytest.fixture
def whole():
    return lambda path: np.concatenate([run.frames for run in read(path)])


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "webm"])
@pytest.mark.parametrize("first", [0, 35])
def test_ranges_that_touch_share_no_frame_and_lose_none(video_file, whole, suffix, first):
    """Also where the first frame of the file is not at 0: times count from it."""
    path = video_file(f"clip.{suffix}", frames=23, timestamps=[first + n for n in range(23)])
    cuts = [None, 0.2, 0.33, 0.61, None]
    pieces = [frames_of(path, *pair)[0] for pair in pairwise(cuts)]
    assert [len(each) for each in pieces] == [5, 4, 7, 7]
    np.testing.assert_array_equal(np.concatenate(pieces), whole(path))


def test_a_range_without_frames_is_an_error_that_names_it(video_file):
    with pytest.raises(VideoError, match=r"no frame from 5 s to 6 s"):
        frames_of(video_file(), 5.0, 6.0)


def test_a_rate_takes_the_frame_on_show_at_each_of_its_times(video_file, whole):
    path = video_file(frames=25)
    frames, times = frames_of(path, fps="10")
    np.testing.assert_array_equal(times, np.arange(10))
    # At 0.1 s the third frame has begun (0.08 s) and the fourth has not (0.12 s).
    shown = [min(24, int(25 * k / 10 + 1e-9)) for k in range(10)]
    np.testing.assert_array_equal(frames, whole(path)[shown])


def test_a_higher_rate_repeats_frames_and_a_varying_one_becomes_constant(video_file, whole):
    path = video_file(frames=4, timestamps=[0, 1, 5, 6])
    frames, _ = frames_of(path, fps="50")
    assert [int(np.abs(frame.astype(int) - whole(path)).sum((1, 2, 3)).argmin()) for frame in frames] == (
        [0] * 2 + [1] * 8 + [2] * 2 + [3] * 2
    )


def test_pieces_of_a_rate_are_as_long_as_their_ranges(video_file):
    path = video_file(frames=50)
    assert [len(frames_of(path, start, start + 0.5, fps="12")[0]) for start in (0.0, 0.5, 1.0, 1.5)] == [
        6
    ] * 4


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_range_at_a_rate_begins_with_the_frame_that_is_on_show_then(video_file, whole, suffix):
    path = video_file(f"slides.{suffix}", frames=4, timestamps=[0, 5, 105, 110])
    seen = whole(path)
    for start, shown in ((0.1, [0, 1, 1, 1, 1]), (1.0, [1] * 5), (4.0, [1, 1, 2, 2, 3])):
        frames, times = frames_of(path, start, start + 0.5, fps="10")
        np.testing.assert_array_equal(frames, seen[shown])
        np.testing.assert_array_equal(times, np.arange(5))
    with pytest.raises(VideoError, match=r"no frame from 1 s to 1\.5 s"):
        frames_of(path, 1.0, 1.5)


def test_mirrored_and_shrunk(video_file, whole):
    path = video_file(height=24, width=40)
    frames, _ = frames_of(path, mirrored=True)
    np.testing.assert_array_equal(frames, whole(path)[:, :, ::-1])
    small, _ = frames_of(path, mirrored=True, short_side=12)
    assert small.shape[1:3] == (12, 20)
    plain, _ = frames_of(path, short_side=12)
    assert np.abs(small[:, :, ::-1].astype(int) - plain).max() <= 1


def test_an_open_clip_says_the_size_and_rate_that_its_frames_have(video_file):
    settings = BulkSettings(short_side=12, fps="30000/1001")
    with open_clip_frames(video_file(), None, None, mirrored=False, settings=settings) as opened:
        info = opened.info
        assert (info.height, info.width) == next(iter(opened.runs)).frames.shape[1:3]
        assert info.time_base == 1 / Fraction(30000, 1001)


@pytest.mark.parametrize("memory", [1 << 20, 1 << 30])
def test_frames_are_the_same_in_one_run_and_in_many(video_file, whole, memory):
    """One short run is read at once; many are read in a thread."""
    path = video_file(frames=40, height=64, width=80)
    frames, times = frames_of(path, memory=memory)
    np.testing.assert_array_equal(frames, whole(path))
    assert len(times) == 40
