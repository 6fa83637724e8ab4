"""Chroma is written where the format has it, so that colours stay in place however often they are coded."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from waves import last_waves, read_by_zscale, shift, shifts, wavy_picture

from tubelet.evaluate.systems.opening import open_system
from tubelet.evaluate.systems.system import Setting
from tubelet.video.convert import Encoding, FromRgb
from tubelet.video.info import Colour
from tubelet.video.read import read
from tubelet.video.write import Writer

FILMS = [".mp4", ".m4v", ".mov", ".webm", ".mkv"]
SUBSAMPLED = [".mp4", ".m4v", ".mov", ".webm"]


def write(path: Path, picture: np.ndarray, colour: Colour | None = None) -> Path:
    height, width = picture.shape[:2]
    frames = np.repeat(picture[None], 2, 0)
    with Writer(path, width=width, height=height, time_base=Fraction(1, 25), colour=colour) as output:
        output.write(frames, np.arange(2))
    return path


def plane(frame: av.VideoFrame, index: int) -> np.ndarray:
    samples = frame.planes[index]
    rows = np.frombuffer(memoryview(samples), np.uint8).reshape(samples.height, samples.line_size)
    return rows[:, : samples.width].astype(float)


@pytest.mark.parametrize("suffix", FILMS)
@pytest.mark.parametrize("size", [(80, 96), (81, 97), (80, 97), (81, 96)])
def test_colours_come_back_from_where_they_were_put(tmp_path, suffix, size):
    path = write(tmp_path / f"a{suffix}", wavy_picture(*size))
    picture = next(read(path)).frames[0]
    assert shifts(picture) == pytest.approx((0, 0), abs=0.06)
    assert shifts(last_waves(picture)) == pytest.approx((0, 0), abs=0.1)


@pytest.mark.parametrize("suffix", FILMS)
def test_another_library_finds_colours_where_they_were_put(tmp_path, suffix):
    path = write(tmp_path / f"a{suffix}", wavy_picture(80, 96))
    assert shifts(read_by_zscale(path, 80, 96)) == pytest.approx((0, 0), abs=0.06)


@pytest.mark.parametrize("suffix", SUBSAMPLED)
@pytest.mark.parametrize("size", [(80, 96), (81, 97)])
def test_samples_of_chroma_are_taken_at_the_left_between_two_rows(tmp_path, suffix, size):
    with av.open(str(write(tmp_path / f"a{suffix}", wavy_picture(*size)))) as source:
        frame = next(source.decode(video=0))
    if suffix != ".webm" and size == (81, 97):
        assert frame.format.name == "yuv444p"
        return
    assert frame.format.name == "yuv420p"
    inside = slice(4, 36)
    cb, cr = plane(frame, 1)[inside, inside], plane(frame, 2)[inside, inside]
    assert shift(cb, first=8, step=2) == pytest.approx(0, abs=0.06)
    assert shift(cr.T, first=8.5, step=2) == pytest.approx(0, abs=0.06)


def test_an_odd_picture_has_a_chroma_sample_for_its_last_column_and_row():
    picture = np.full((5, 7, 3), 128, np.uint8)
    picture[:, 5:] = picture[4:] = (200, 40, 90)
    frame = FromRgb(Encoding("yuv420p", "bt709", full=False)).frame(picture)
    flat = FromRgb(Encoding("yuv420p", "bt709", full=False)).frame(
        np.full((8, 8, 3), (200, 40, 90), np.uint8)
    )
    assert (frame.width, frame.height) == (7, 5)
    assert plane(frame, 1).shape == (3, 4)
    for index in (0, 1, 2):
        assert plane(frame, index)[-1, -1] == pytest.approx(plane(flat, index)[-1, -1], abs=3)


@pytest.mark.parametrize("suffix", SUBSAMPLED)
def test_eight_generations_move_no_colour(tmp_path, suffix):
    picture = wavy_picture(64, 80)
    first = None
    for generation in range(8):
        picture = next(read(write(tmp_path / f"{generation}{suffix}", picture))).frames[0].copy()
        first = picture if first is None else first
    assert shifts(picture) == pytest.approx((0, 0), abs=0.15)
    levels = picture.astype(float).mean((0, 1)) - wavy_picture(64, 80).mean((0, 1))
    assert np.abs(levels).max() < 1
    assert np.abs(picture.astype(float) - first).mean() < 3


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("suffix", FILMS)
@pytest.mark.parametrize("size", [(32, 32), (33, 35)])
def test_flat_colours_come_back_whatever_the_matrix_and_size(tmp_path, suffix, size, matrix):
    colours = np.array([[200, 40, 90], [30, 180, 220], [128, 128, 128], [250, 240, 20]], np.uint8)
    colour = Colour(matrix=matrix, range="limited", primaries=1, transfer=1, tagged=True)
    for index, flat in enumerate(colours):
        path = write(tmp_path / f"{index}{suffix}", np.full((*size, 3), flat, np.uint8), colour)
        error = next(read(path)).frames[0].astype(int) - flat
        assert np.abs(error).max() <= 3


@pytest.mark.parametrize(
    "text", ["x264:crf=10,preset=fast", "x265:crf=10,preset=fast", "svtav1:crf=10,preset=10"]
)
@pytest.mark.parametrize("size", [(80, 96), (81, 97)])
def test_codecs_to_compare_with_leave_colours_where_they_are(text, size):
    clip = np.repeat(wavy_picture(*size)[None], 2, 0)
    back = open_system(text, Setting(at_once=True)).reconstruct(clip, Fraction(25)).frames[0]
    assert shifts(back) == pytest.approx((0, 0), abs=0.1)
