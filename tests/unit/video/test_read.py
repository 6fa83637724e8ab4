import gc
import warnings
from fractions import Fraction

import av
import numpy as np
import pytest

from tubelet.errors import DamageWarning, LossWarning, OptionError, VideoError
from tubelet.video.probe import probe
from tubelet.video.read import read


def frames_of(path, **options) -> np.ndarray:
    return np.concatenate([run.frames.copy() for run in read(path, **options)])


def stamps_of(path) -> list[int]:
    return [stamp for run in read(path) for stamp in run.timestamps.tolist()]


@pytest.fixture
def lossless(film, clip):
    """Ten frames that decode to exactly what they were."""
    pixels = clip(10, 24, 32)
    return film("exact.mkv", pixels, codec="ffv1", pixel_format="bgr0"), pixels


@pytest.mark.parametrize("run", [1, 3, 10, 16])
def test_frames_do_not_depend_on_how_they_are_cut_into_runs(lossless, run):
    path, pixels = lossless
    assert np.array_equal(frames_of(path, run=run), pixels)


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (4, 7), (9, None), (3, 3), (12, None), (0, 99)])
def test_start_and_stop_cut_like_a_slice(lossless, start, stop):
    path, pixels = lossless
    parts = [run.frames.copy() for run in read(path, run=2, start=start, stop=stop)]
    assert sum(map(len, parts)) == len(pixels[start:stop])
    assert not parts or np.array_equal(np.concatenate(parts), pixels[start:stop])


def test_runs_that_are_kept_are_never_overwritten(lossless):
    path, pixels = lossless
    views = [run.frames[:, ::2] for run in read(path, run=2)]
    assert np.array_equal(np.concatenate(views), pixels[:, ::2])


def test_memory_of_runs_that_are_let_go_is_used_again(lossless):
    path, _ = lossless
    places = set()
    for run in read(path, run=1):
        places.add(run.frames.ctypes.data)
    assert len(places) == 2


@pytest.mark.parametrize(("name", "value"), [("run", 0), ("start", -1), ("stop", 1)])
def test_a_range_without_meaning_is_refused_by_value(lossless, name, value):
    path, _ = lossless
    with pytest.raises(OptionError, match=f"{name} is {value}"):
        list(read(path, **{"start": 2, name: value}))


def test_a_variable_rate_keeps_its_timestamps(film, clip):
    stamps = [540, 3600, 9000, 9001, 20000]
    path = film("vfr.mp4", clip(5, 16, 16), timestamps=stamps, time_base=Fraction(1, 90000))
    ticks = probe(path).time_base / Fraction(1, 90000)
    got = [stamp * ticks for stamp in stamps_of(path)]
    assert [each - got[0] for each in got] == [stamp - 540 for stamp in stamps]


def test_a_stream_without_timestamps_gets_them_with_one_warning(film, clip):
    path = film("raw.h264", clip(4, 16, 16))
    with pytest.warns(LossWarning, match="4 of 4 timestamps"):
        stamps = stamps_of(path)
    assert np.diff(stamps).min() > 0


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "libx264"), ("a.avi", "mpeg4"), ("a.m1v", "mpeg1video")]
)
def test_frames_that_are_stored_in_another_order_are_evenly_apart_where_packets_are_counted(
    film, clip, name, codec
):
    path = film(name, clip(20, 32, 48), codec=codec, options={"bf": "2"}, time_base=Fraction(1, 25))
    step = Fraction(1, 25) / probe(path).time_base
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runs = list(read(path))
    stamps = np.concatenate([run.timestamps for run in runs])
    assert np.diff(stamps).tolist() == [step] * 19
    assert runs[-1].end == stamps[-1] + step


def test_ten_bits_are_warned_of_once(film, clip):
    path = film("deep.mkv", clip(3, 16, 16), codec="ffv1", pixel_format="yuv420p10le")
    with pytest.warns(LossWarning) as caught:
        frames_of(path, run=1)
    assert [str(each.message) for each in caught] == [
        f"{path}: it has 10 bits per sample, of which 8 are kept."
    ]


def test_opaque_alpha_is_no_loss_and_transparency_is(film, clip):
    pixels = np.concatenate([clip(1, 8, 8)[0], np.full((8, 8, 1), 255, np.uint8)], -1)
    opaque = film(
        "opaque.mov", [av.VideoFrame.from_ndarray(pixels, "rgba")], codec="png", pixel_format="rgba"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(frames_of(opaque)[0], pixels[..., :3])
    pixels[0, 0, 3] = 0
    clear = film("clear.mov", [av.VideoFrame.from_ndarray(pixels, "rgba")], codec="png", pixel_format="rgba")
    with pytest.warns(LossWarning, match="transparency"):
        assert frames_of(clear)[0, 0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".webp", ".bmp", ".tiff"])
def test_an_image_is_a_clip_of_one_frame(film, clip, suffix):
    codecs = {".png": ("png", "rgb24"), ".jpg": ("mjpeg", "yuvj444p"), ".gif": ("gif", "rgb8"),
              ".webp": ("libwebp", "bgra"), ".bmp": ("bmp", "bgr24"), ".tiff": ("tiff", "rgb24")}  # fmt: skip
    codec, pixel_format = codecs[suffix]
    path = film(f"image{suffix}", clip(1, 12, 20), codec=codec, pixel_format=pixel_format)
    assert frames_of(path).shape == (1, 12, 20, 3)


def test_an_image_whose_name_looks_like_a_pattern_is_read(film, clip):
    path = film("plain.png", clip(1, 8, 8), codec="png", pixel_format="rgb24")
    odd = path.rename(path.with_name("odd%03d.png"))
    assert frames_of(odd).shape == (1, 8, 8, 3)


def test_a_damaged_middle_costs_some_frames_and_one_warning(film, clip):
    path = film("hurt.mov", clip(10, 24, 32), codec="png", pixel_format="rgb24")
    data = bytearray(path.read_bytes())
    places = [at for at in range(len(data)) if data[at : at + 4] == b"IDAT"]
    data[places[4] : places[4] + 40] = bytes(40)
    path.write_bytes(data)
    with pytest.warns(DamageWarning, match="1 of 10 packets do not decode") as caught:
        count = len(frames_of(path))
    assert (count, len(caught)) == (9, 1)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_film_cut_short_gives_what_is_left_and_one_warning(film, clip, suffix):
    path = film(f"short{suffix}", clip(30, 48, 64), options={"g": "5"}, container={"movflags": "faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.warns(DamageWarning) as caught:
        count = len(frames_of(path))
    assert 5 < count < 30
    assert len(caught) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".avi", ".mov"])
def test_a_whole_film_is_not_said_to_be_damaged(film, clip, suffix):
    codec = "libvpx-vp9" if suffix == ".webm" else "mpeg4"
    assert len(frames_of(film(f"whole{suffix}", clip(12, 16, 16), codec=codec))) == 12


def test_leaving_early_closes_the_file(lossless):
    path, _ = lossless
    runs = read(path, run=1)
    next(runs)
    runs.close()
    gc.collect()
    path.unlink()


@pytest.mark.parametrize("shape", [(5, 6, 7, 3), (6, 7, 3)])
def test_an_array_is_read_as_it_is(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.save(tmp_path / "a.npy", array)
    assert np.array_equal(frames_of(tmp_path / "a.npy", run=2), array.reshape(-1, 6, 7, 3))
    assert probe(tmp_path / "a.npy").frames == len(array.reshape(-1, 6, 7, 3))


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((2, 4, 4, 3), np.float32), r"holds float32; .* Of \[0, 1\] make \(255 \* a\)"),
        (np.zeros((2, 4, 4, 3), np.uint16), r"holds uint16; .* Of levels of all 16 bits make \(a >> 8\)"),
        (np.zeros((2, 4, 4, 3), bool), r"holds bool; .* Make \(255 \* a\)"),
        (np.zeros((2, 4, 4, 3), np.int64), r"holds int64; .* Levels of 0 to 255 become it with"),
        (np.zeros((2, 4, 4, 4), np.uint8), r"T H W 3, none of them empty\. Of RGBA make a\[\.\.\., :3\]"),
        (np.zeros((2, 3, 4, 5), np.uint8), r"\(2, 3, 4, 5\); .* make np\.moveaxis\(a, 1, -1\)"),
        (np.zeros((3, 2, 4, 5), np.uint8), r"\(3, 2, 4, 5\); .* make np\.moveaxis\(a, 0, -1\)"),
        (np.zeros((2, 4, 5), np.uint8), r"the shape \(2, 4, 5\); .* Of grey frames T H W make np\.stack"),
        (np.zeros((3, 4, 5), np.uint8), r"the shape \(3, 4, 5\); .* make np\.moveaxis\(a, 0, -1\)"),
        (np.zeros((2, 4, 5, 1), np.uint8), r"Of grey frames make np\.repeat\(a, 3, axis=-1\)"),
        (np.zeros((1, 2, 4, 5, 3), np.uint8), r"Of one clip of a batch make a\[0\]"),
        (np.zeros((2, 4, 5, 6), np.uint8), r"none of them empty\.$"),
        (np.zeros((0, 4, 4, 3), np.uint8), r"none of them empty\.$"),
        (np.array([{"a": 1}], dtype=object), "cannot be loaded|not an array"),
    ],
)
def test_an_array_of_something_else_is_refused_by_what_it_is(tmp_path, array, says):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(VideoError, match=says):
        frames_of(tmp_path / "a.npy")


@pytest.fixture
def wild(film, clip):
    """Fifty frames of which one says that it is shown after an hour."""
    path = film("sound.mkv", clip(50, 16, 16), codec="mjpeg", pixel_format="yuvj420p")
    target = path.with_name("wild.mkv")
    with av.open(str(path)) as source, av.open(str(target), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for index, packet in enumerate(source.demux(video=0)):
            if packet.size:
                packet.stream = stream
                packet.pts = 3_600_000 if index == 20 else packet.pts
                output.mux(packet)
    return target, stamps_of(path)


@pytest.mark.parametrize("run", [1, 3, 16, 100])
def test_one_wild_timestamp_is_repaired_alone_however_runs_are_cut(wild, run):
    path, sound = wild
    with pytest.warns(LossWarning, match="1 of 50 timestamps"):
        runs = [(each.timestamps.copy(), each.end) for each in read(path, run=run)]
    stamps = np.concatenate([ticks for ticks, _ in runs])
    assert np.abs(stamps - sound).max() <= 1
    assert [end for _, end in runs[:-1]] == [ticks[0] for ticks, _ in runs[1:]]


@pytest.mark.parametrize("stop", [3, None])
def test_repaired_timestamps_are_those_of_the_frames_that_were_read(film, clip, stop):
    path = film("raw.264", clip(10, 32, 32))
    count = stop or 10
    with pytest.warns(LossWarning, match=f": {count} of {count} timestamps were missing") as caught:
        assert sum(len(run.frames) for run in read(path, stop=stop)) == count
    assert len(caught) == 1


def test_a_film_that_is_called_an_array_is_not_said_to_be_loaded_unsafely(film, clip):
    path = film("a.mp4", clip(2, 16, 16))
    with pytest.raises(VideoError, match=r"it does not begin as a \.npy file"):
        frames_of(path.rename(path.with_suffix(".npy")))
