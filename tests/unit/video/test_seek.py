import itertools
from fractions import Fraction

import numpy as np
import pytest

from tubelet.errors import OptionError
from tubelet.video.probe import probe
from tubelet.video.read import read, read_from

COUNT = 60
VARIABLE = list(itertools.accumulate([0, *[400 + 937 * (i * 7 % 5) for i in range(COUNT - 1)]]))
FILMS = {
    "x264 with B-frames": {"name": "a.mp4", "options": {"bf": "3", "g": "12"}},
    "x264 with open groups": {
        "name": "b.mkv",
        "options": {"bf": "3", "g": "12", "x264-params": "open-gop=1"},
    },
    "x264 at a variable rate": {
        "name": "c.mp4",
        "options": {"bf": "2", "g": "9"},
        "timestamps": VARIABLE,
        "time_base": Fraction(1, 90000),
    },
    "x265 of 10 bits with open groups": {
        "name": "d.mp4",
        "codec": "libx265",
        "pixel_format": "yuv420p10le",
        "options": {"x265-params": "keyint=12:min-keyint=12:open-gop=1:bframes=3:log-level=none"},
    },
    "VP9": {
        "name": "e.webm",
        "codec": "libvpx-vp9",
        "options": {"g": "12", "cpu-used": "8", "deadline": "realtime"},
    },
    "AVI without timestamps of its own": {
        "name": "f.avi",
        "codec": "mpeg4",
        "options": {"bf": "2", "g": "12"},
    },
}


@pytest.mark.filterwarnings("ignore::tubelet.errors.LossWarning")
@pytest.mark.parametrize("kind", FILMS)
def test_reading_from_any_frame_equals_reading_from_the_start(film, numbered, number_of, kind):
    path = film(FILMS[kind]["name"], numbered(COUNT), **{k: v for k, v in FILMS[kind].items() if k != "name"})
    time_base = probe(path).time_base
    whole = list(read(path, run=COUNT))
    frames, stamps = whole[0].frames, whole[0].timestamps
    assert number_of(frames) == list(range(COUNT))
    for index in range(COUNT):
        first = next(read_from(path, int(stamps[index]) * time_base, run=2))
        assert number_of(first.frames) == list(range(index, min(index + 2, COUNT)))
        assert first.timestamps.tolist() == stamps[index : index + 2].tolist()
        assert np.array_equal(first.frames, frames[index : index + 2])


def test_between_two_frames_the_later_is_first(film, numbered, number_of):
    path = film("a.mp4", numbered(10))
    assert number_of(next(read_from(path, 3.5 / 24, run=1)).frames) == [4]


def test_a_float_that_misses_a_tick_by_rounding_still_hits_its_frame(film, numbered, number_of):
    path = film("a.mp4", numbered(10), time_base=Fraction(1001, 30000))
    assert number_of(next(read_from(path, 7 * 0.03336666, run=1)).frames) == [7]


def test_nothing_comes_from_after_the_end(film, numbered):
    assert list(read_from(film("a.mp4", numbered(5)), 10.0)) == []


def test_everything_comes_from_before_the_start(film, numbered, number_of):
    assert number_of(next(read_from(film("a.mp4", numbered(5)), -1.0)).frames) == list(range(5))


def test_a_time_that_is_no_number_is_refused(film, numbered):
    with pytest.raises(OptionError, match="nan"):
        next(read_from(film("a.mp4", numbered(2)), float("nan")))
