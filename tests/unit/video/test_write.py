import resource
from fractions import Fraction
from pathlib import Path
from typing import IO

import av
import numpy as np
import pytest

from tubelet.errors import LossWarning, OptionError, OutputError, VideoError
from tubelet.video.array import ArrayFile
from tubelet.video.encode import Movie, Still
from tubelet.video.info import Colour
from tubelet.video.probe import probe
from tubelet.video.read import read
from tubelet.video.write import SUFFIXES, Writer

FILMS = [".mp4", ".mov", ".webm", ".mkv"]
STILLS = [".png", ".jpg", ".webp"]


def write(path, frames, stamps=None, time_base=Fraction(1, 24), **options):
    height, width = frames.shape[1:3]
    with Writer(path, width=width, height=height, time_base=time_base, **options) as output:
        output.write(frames, np.arange(len(frames)) if stamps is None else np.array(stamps))
    return path


def read_all(path) -> tuple[np.ndarray, list[Fraction]]:
    base = probe(path).time_base
    runs = list(read(path))
    return np.concatenate([run.frames for run in runs]), [
        int(each) * base for run in runs for each in run.timestamps
    ]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@pytest.mark.parametrize("suffix", [".mkv", ".npy"])
def test_lossless_formats_give_back_every_bit(tmp_path, suffix):
    frames = np.random.default_rng(0).integers(0, 256, (5, 37, 70, 3), np.uint8)
    assert np.array_equal(read_all(write(tmp_path / f"a{suffix}", frames))[0], frames)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_lossy_formats_come_close(tmp_path, clip, suffix):
    frames = clip(12, 64, 96)
    assert psnr(read_all(write(tmp_path / f"a{suffix}", frames))[0], frames) > 38


@pytest.mark.parametrize("suffix", FILMS)
def test_flat_colours_come_back_without_bias(tmp_path, suffix):
    colours = np.array([[200, 40, 90], [30, 180, 220], [128, 128, 128], [250, 240, 20]], np.uint8)
    frames = np.broadcast_to(colours[:, None, None], (4, 32, 32, 3)).copy()
    error = read_all(write(tmp_path / f"a{suffix}", frames))[0].astype(int) - frames
    assert np.abs(error).max() <= 3


@pytest.mark.parametrize(
    "size", [(500, 60), (60, 500), (353, 8), (1, 289), (1, 600), (600, 1), (2, 600), (640, 63), (352, 288)]
)
def test_strips_of_any_shape_come_back_from_a_lossless_file(smooth, tmp_path, size):
    width, height = size
    frames = smooth(2, height, width)
    with Writer(tmp_path / "a.mkv", width=width, height=height, time_base=Fraction(1, 25)) as writer:
        writer.write(frames, np.arange(2))
    assert np.array_equal(next(read(tmp_path / "a.mkv")).frames, frames)


@pytest.mark.parametrize("suffix", [*FILMS, *STILLS, ".npy"])
@pytest.mark.parametrize("size", [(1, 1), (7, 1), (1, 7), (2, 3), (33, 17)])
def test_any_size_is_written_exactly(tmp_path, clip, suffix, size):
    frames = clip(1 if suffix in STILLS else 3, *size)
    assert read_all(write(tmp_path / f"a{suffix}", frames))[0].shape == frames.shape


@pytest.mark.parametrize(
    ("time_base", "stamps"),
    [
        (Fraction(1, 24), [0, 1, 2, 3]),
        (Fraction(1001, 30000), [5, 6, 8, 20]),
        (Fraction(1, 90000), [540, 3600, 9000, 9001]),
        (Fraction(1, 1200000), [0, 48000, 96001, 144000]),
        (Fraction(8, 30625), [0, 100, 250, 251]),
    ],
)
@pytest.mark.parametrize("suffix", FILMS)
def test_timestamps_are_exact_in_mp4_and_to_the_millisecond_in_matroska(
    tmp_path, clip, suffix, time_base, stamps
):
    times = read_all(write(tmp_path / f"a{suffix}", clip(4, 16, 16), stamps, time_base))[1]
    error = max(abs(time - stamp * time_base) for time, stamp in zip(times, stamps, strict=True))
    assert error <= (Fraction(1, 1000) if suffix in {".webm", ".mkv"} else 0)


def test_the_last_frame_lasts_as_long_as_the_one_before(tmp_path, clip):
    path = write(tmp_path / "a.mp4", clip(4, 16, 16), [0, 10, 20, 30], Fraction(1, 100))
    assert probe(path).duration_seconds == pytest.approx(0.4)


@pytest.mark.parametrize("suffix", FILMS)
@pytest.mark.parametrize(("stamps", "end"), [([-30, -20, -10, 0, 10], 20), ([-70, -55, -15], -5), ([-3], 7)])
def test_times_before_zero_are_shown_later_as_films_show_nothing_before(tmp_path, clip, suffix, stamps, end):
    path = tmp_path / f"a{suffix}"
    with Writer(path, width=16, height=16, time_base=Fraction(1, 100)) as output:
        output.write(clip(len(stamps), 16, 16), np.array(stamps), end=end)
    base = probe(path).time_base
    runs = list(read(path))
    assert read_all(path)[1] == [Fraction(each - stamps[0], 100) for each in stamps]
    assert runs[-1].end * base == Fraction(end - stamps[0], 100)


@pytest.mark.parametrize(
    ("stamps", "end"),
    [([0, 1, 2, 3, 40, 41, 42, 100, 101], 102), ([16, 17, 18, 19, 21, 22, 82, 84, 85], 86)],
)
def test_gaps_before_the_last_frames_do_not_change_how_long_a_film_is(tmp_path, clip, stamps, end):
    path = tmp_path / "a.mp4"
    with Writer(path, width=16, height=16, time_base=Fraction(1, 10)) as output:
        output.write(clip(len(stamps), 16, 16), np.array(stamps), end=end)
    assert read_all(path)[1] == [Fraction(each, 10) for each in stamps]
    assert list(read(path))[-1].end * probe(path).time_base == Fraction(end, 10)
    assert probe(path).duration_seconds == pytest.approx((end - stamps[0]) / 10)


def test_runs_of_any_length_make_the_same_file(tmp_path, clip):
    frames = clip(7, 16, 24)
    whole = write(tmp_path / "whole.mkv", frames)
    with Writer(tmp_path / "parts.mkv", width=24, height=16, time_base=Fraction(1, 24)) as output:
        for begin, end in [(0, 1), (1, 4), (4, 4), (4, 7)]:
            output.write(frames[begin:end], np.arange(begin, end))
    (a, times_a), (b, times_b) = read_all(whole), read_all(tmp_path / "parts.mkv")
    assert np.array_equal(a, b) and times_a == times_b


def tags(path) -> tuple[int, int, int, int]:
    with av.open(str(path)) as source:
        frame = next(source.decode(video=0))
        return frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc


def colour(matrix, primaries, transfer, *, tagged=True) -> Colour:
    return Colour(matrix=matrix, range="limited", primaries=primaries, transfer=transfer, tagged=tagged)


@pytest.mark.parametrize(
    ("source", "stated"),
    [
        (None, (1, 1, 1, 1)),
        (colour("bt709", 1, 1), (1, 1, 1, 1)),
        (colour("bt601", 6, 6), (5, 1, 6, 6)),
        (colour("bt601", 5, 2), (5, 1, 5, 6)),
        (colour("bt2020", 9, 18), (1, 1, 1, 1)),
        (colour("bt601", 2, 2, tagged=False), (1, 1, 1, 1)),
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_colours_are_always_tagged_and_read_back_by_their_tags(tmp_path, clip, suffix, source, stated):
    frames = clip(2, 32, 32)
    path = write(tmp_path / f"a{suffix}", frames, colour=source)
    assert tags(path)[:2] == stated[:2]
    if suffix == ".mp4":
        assert tags(path) == stated
    assert psnr(read_all(path)[0], frames) > 36


def test_pixels_that_are_not_square_stay_so(tmp_path, clip):
    path = write(tmp_path / "a.mp4", clip(2, 32, 32), sample_aspect=Fraction(4, 3))
    assert probe(path).sample_aspect == Fraction(4, 3)


def test_a_format_without_pixel_shapes_says_that_it_loses_them(tmp_path, clip):
    with pytest.warns(LossWarning, match="shape of its pixels"):
        write(tmp_path / "a.webm", clip(2, 32, 32), sample_aspect=Fraction(4, 3))


def test_an_unknown_suffix_lists_the_known(tmp_path):
    with pytest.raises(OptionError, match=" ".join(SUFFIXES)):
        Writer(tmp_path / "a.xyz", width=4, height=4, time_base=Fraction(1, 24))


def test_an_image_holds_one_frame_only(tmp_path, clip):
    with pytest.raises(VideoError, match="one image but the clip has more"):
        write(tmp_path / "a.png", clip(2, 4, 4))
    assert not list(tmp_path.iterdir())


def test_a_file_without_frames_is_not_made(tmp_path):
    with (
        pytest.raises(VideoError, match="no frames were written"),
        Writer(tmp_path / "a.mp4", width=4, height=4, time_base=Fraction(1, 24)),
    ):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stamps", [[0, 0], [3, 2]])
def test_timestamps_that_do_not_grow_are_refused(tmp_path, clip, stamps):
    with pytest.raises(OptionError, match="increase strictly"):
        write(tmp_path / "a.mp4", clip(2, 4, 4), stamps)


def test_frames_of_another_size_are_refused_by_size(tmp_path, clip):
    with (
        pytest.raises(OptionError, match="T x 4 x 4 x 3"),
        Writer(tmp_path / "a.mp4", width=4, height=4, time_base=Fraction(1, 24)) as output,
    ):
        output.write(clip(1, 4, 6), np.arange(1))


@pytest.mark.parametrize("suffix", [*FILMS, ".npy"])
def test_an_interrupted_write_leaves_nothing(tmp_path, clip, suffix):
    class InterruptionError(Exception):
        pass

    with (
        pytest.raises(InterruptionError),
        Writer(tmp_path / f"a{suffix}", width=16, height=16, time_base=Fraction(1, 24)) as output,
    ):
        output.write(clip(3, 16, 16), np.arange(3))
        raise InterruptionError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".mp4", ".npy", ".png"])
def test_an_interrupted_write_codes_no_more_frames(tmp_path, clip, suffix, monkeypatch):
    closed = []
    for sink in (Movie, ArrayFile, Still):
        monkeypatch.setattr(sink, "close", closed.append)
    with (
        pytest.raises(KeyboardInterrupt),
        Writer(tmp_path / f"a{suffix}", width=16, height=16, time_base=Fraction(1, 24)) as writer,
    ):
        writer.write(clip(1, 16, 16), np.array([0]))
        raise KeyboardInterrupt
    assert not closed and not list(tmp_path.iterdir())


def test_an_existing_file_is_kept_unless_forced(tmp_path, clip):
    target = tmp_path / "a.mp4"
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists"):
        write(target, clip(1, 4, 4))
    assert target.read_bytes() == b"precious"
    write(target, clip(1, 4, 4), force=True)
    assert probe(target).width == 4


@pytest.mark.parametrize("suffix", [".mkv", ".npy", ".mp4"])
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, suffix):
    frames = np.random.default_rng(0).integers(0, 256, (8, 128, 128, 3), np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limits[1]))
    try:
        with pytest.raises(OutputError, match="no room"):
            write(tmp_path / f"a{suffix}", frames)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_an_array_for_which_there_is_no_room_is_closed(monkeypatch):
    opened: list[IO[bytes]] = []
    plain = Path.open

    def noted(path: Path, mode: str) -> IO[bytes]:
        opened.append(plain(path, mode))
        return opened[-1]

    monkeypatch.setattr(Path, "open", noted)
    array = ArrayFile(Path("/dev/full"), width=3, height=2)
    array.write(np.zeros((2, 3, 3), np.uint8), 0, 1)
    with pytest.raises(OSError, match="No space left"):
        array.close()
    assert [file.closed for file in opened] == [True]
