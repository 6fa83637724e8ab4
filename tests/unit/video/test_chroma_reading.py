"""Chroma is read from where it lies: as the stream says, or its container, or else its codec's standard."""

from pathlib import Path

import av
import numpy as np
import pytest
from waves import OFFSETS, fill, film_of, last_waves, read_by_zscale, shifts, wavy_frame

from tubelet.video.chroma import place_of
from tubelet.video.convert import ToRgb
from tubelet.video.filters import Filters
from tubelet.video.matroska import chroma_siting
from tubelet.video.orientation import Orientation
from tubelet.video.read import read

X264 = {"qp": "1", "preset": "ultrafast"}
X265 = {"preset": "ultrafast", "x265-params": "pools=none:frame-threads=1:info=0:log-level=none:qp=1"}
VP9 = {"lossless": "1", "deadline": "realtime", "cpu-used": "8"}
AV1 = {"crf": "1", "preset": "10", "svtav1-params": "lp=1"}
FINE = {"qmin": "2", "qmax": "2"}


def said(place: str) -> dict[str, str]:
    return {"chroma_sample_location": place}


# File, codec, pixel format, options, and where chroma lies in it.
STREAMS = [
    *(("a.mp4", "libx264", "yuv420p", X264 | said(place), place) for place in OFFSETS),
    *(("a.mp4", "libx265", "yuv420p", X265 | said(place), place) for place in OFFSETS),
    *(
        ("a.webm", "libvpx-vp9", "yuv420p", VP9 | said(place), place)
        for place in ("left", "center", "topleft", "top")
    ),
    *(("a.mkv", "libsvtav1", "yuv420p", AV1 | said(place), place) for place in ("left", "center", "topleft")),
    *(("a.mp4", "libsvtav1", "yuv420p", AV1 | said(place), place) for place in ("left", "topleft")),
    *(("a.y4m", "rawvideo", "yuv420p", said(place), place) for place in ("left", "center", "topleft")),
    ("a.mkv", "libx264", "yuv420p10le", X264 | said("topleft"), "topleft"),
    ("a.mkv", "ffv1", "yuv420p", said("center"), "center"),
    *(
        ("a.mkv", "libx264", "yuv420p", X264 | said(place) | {"x264-params": "tff=1"}, place)
        for place in ("left", "topleft")
    ),
    # Another decoder gives the transparency.
    *(
        ("a.webm", "libvpx-vp9", "yuva420p", VP9 | said(place), place)
        for place in ("left", "center", "topleft")
    ),
    # Nobody says where.
    ("a.mp4", "libx264", "yuv420p", X264, "left"),
    ("a.mov", "libx264", "yuv420p10le", X264, "left"),
    ("a.mp4", "libx264", "yuv422p", X264, "left"),
    ("a.mp4", "libx265", "yuv420p10le", X265, "left"),
    ("a.webm", "libvpx-vp9", "yuv420p", VP9, "left"),
    ("a.mp4", "libvpx-vp9", "yuv420p", VP9, "left"),
    ("a.webm", "libvpx", "yuv420p", {"deadline": "realtime", "crf": "4", "b": "5M"}, "left"),
    ("a.mkv", "libsvtav1", "yuv420p", AV1, "left"),
    ("a.mp4", "libsvtav1", "yuv420p10le", AV1, "left"),
    ("a.mkv", "ffv1", "yuv420p", {}, "left"),
    ("a.mkv", "ffv1", "yuv422p10le", {}, "left"),
    ("a.avi", "huffyuv", "yuv422p", {}, "left"),
    ("a.nut", "rawvideo", "yuv420p", {}, "left"),
    ("a.y4m", "rawvideo", "yuv420p", {}, "center"),
    ("a.mov", "prores_ks", "yuv422p10le", {}, "left"),
    ("a.mp4", "mpeg4", "yuv420p", FINE, "left"),
    ("a.mpg", "mpeg2video", "yuv420p", FINE, "left"),
    ("a.mkv", "mpeg2video", "yuv422p", FINE, "left"),
    ("a.mpg", "mpeg1video", "yuv420p", FINE, "center"),
    ("a.avi", "mjpeg", "yuvj420p", FINE, "center"),
    ("a.avi", "mjpeg", "yuvj422p", FINE, "center"),
    ("a.flv", "flv", "yuv420p", FINE, "center"),
]  # fmt: skip


def first_picture(path: Path) -> np.ndarray:
    return next(read(path)).frames[0]


@pytest.mark.filterwarnings("ignore::tubelet.errors.LossWarning")
@pytest.mark.parametrize(("name", "codec", "pixel_format", "options", "place"), STREAMS)
def test_colours_are_where_they_were_made_whatever_the_place_of_chroma(
    tmp_path, name, codec, pixel_format, options, place
):
    frames = [wavy_frame(80, 96, pixel_format, place) for _ in range(2)]
    path = film_of(tmp_path / name, frames, codec, options, full=pixel_format.startswith("yuvj"))
    assert shifts(first_picture(path)) == pytest.approx((0, 0), abs=0.06)


@pytest.mark.filterwarnings("ignore::tubelet.errors.LossWarning")
@pytest.mark.parametrize(("name", "codec", "pixel_format", "options", "place"), STREAMS)
def test_another_library_finds_the_same_colours_in_the_same_place(
    tmp_path, name, codec, pixel_format, options, place
):
    if place == "center" and codec in {"mjpeg", "flv"}:
        pytest.skip(
            "zscale takes no yuvj formats, and FFmpeg does not tell it that H.263 has chroma in the middle"
        )
    frames = [wavy_frame(80, 96, pixel_format, place) for _ in range(2)]
    path = film_of(tmp_path / name, frames, codec, options)
    theirs = shifts(read_by_zscale(path, 80, 96))
    assert shifts(first_picture(path)) == pytest.approx(theirs, abs=0.06)


@pytest.mark.parametrize("codec", ["libvpx-vp9", "libsvtav1", "ffv1"])
def test_full_range_without_a_place_is_read_like_jpeg(tmp_path, codec):
    options = {"libvpx-vp9": VP9, "libsvtav1": AV1, "ffv1": {}}[codec]
    path = film_of(
        tmp_path / "a.mkv", [wavy_frame(80, 96, "yuv420p", "center")] * 2, codec, options, full=True
    )
    assert shifts(first_picture(path)) == pytest.approx((0, 0), abs=0.06)


def placed(frame: av.VideoFrame, place: str) -> av.VideoFrame:
    frame.colorspace, frame.color_range = 1, 1
    return Filters(("setparams", f"chroma_location={place}")).apply(frame)


def rgb(frame: av.VideoFrame) -> np.ndarray:
    pixels = np.empty((frame.height, frame.width, 3), np.uint8)
    ToRgb(Orientation()).write(frame, pixels)
    return pixels


@pytest.mark.parametrize("place", OFFSETS)
@pytest.mark.parametrize("size", [(80, 96), (81, 97), (82, 98), (80, 99), (83, 96)])
@pytest.mark.parametrize(
    "pixel_format", ["yuv420p", "yuv420p10le", "nv12", "yuv422p", "yuv411p", "yuv440p", "yuv410p", "yuva420p"]
)
def test_no_size_makes_colours_drift_along_rows_and_columns(pixel_format, size, place):
    picture = rgb(placed(wavy_frame(*size, pixel_format, place), place))
    assert shifts(picture[:60, :60]) == pytest.approx((0, 0), abs=0.1)
    assert shifts(last_waves(picture)) == pytest.approx((0, 0), abs=0.1)


@pytest.mark.parametrize("place", OFFSETS)
@pytest.mark.parametrize("size", [(32, 32), (17, 33), (5, 9), (1, 1)])
def test_the_place_of_a_frame_is_found(size, place):
    frame = placed(wavy_frame(*size, "yuv420p", place), place)
    assert place_of(frame) == place
    assert place_of(av.VideoFrame(*size, "yuv420p")) == "center"


def test_fields_of_an_interlaced_frame_do_not_share_chroma():
    frame = wavy_frame(50, 64, "yuv420p", "left")
    luma, cb, cr = frame.planes
    fill(luma, np.full((50, 64), 120, np.uint8))
    fill(cb, np.full((25, 32), 128, np.uint8))
    fill(cr, np.where(np.arange(25) % 2, 90, 170)[:, None].repeat(32, 1).astype(np.uint8))
    frame.colorspace, frame.color_range = 1, 1
    woven, still = (
        rgb(Filters(("setparams", f"field_mode={mode}")).apply(frame)) for mode in ("tff", "prog")
    )
    assert (woven[0::2] == woven[0, 0]).all() and (woven[1::2] == woven[1, 0]).all()
    assert int(woven[0, 0, 0]) - int(woven[1, 0, 0]) > 100
    assert not (still[0::2] == still[0, 0]).all()


def test_frames_with_fields_may_stand_among_others():
    convert = ToRgb(Orientation())
    frame = wavy_frame(50, 65, "yuv420p", "topleft")
    for mode in ("prog", "tff", "prog"):
        pixels = np.empty((50, 65, 3), np.uint8)
        convert.write(Filters(("setparams", f"field_mode={mode}")).apply(placed(frame, "topleft")), pixels)
        assert np.array_equal(
            pixels, rgb(Filters(("setparams", f"field_mode={mode}")).apply(placed(frame, "topleft")))
        )


@pytest.mark.parametrize("place", ["left", "center", "topleft", "top"])
def test_matroska_says_where_the_chroma_of_each_track_lies(tmp_path, place):
    with av.open(str(tmp_path / "a.mkv"), "w") as output:
        streams = [
            output.add_stream("ffv1", rate=25, options={"chroma_sample_location": each})
            for each in ("left", place)
        ]
        output.add_stream("aac", rate=48000)
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        output.start_encoding()
    across, down = (1 + round(2 * offset) for offset in OFFSETS[place])
    assert chroma_siting(tmp_path / "a.mkv", 0) == (1, 2)
    assert chroma_siting(tmp_path / "a.mkv", 1) == (across, down)
    assert chroma_siting(tmp_path / "a.mkv", 2) is None


def test_a_damaged_matroska_header_says_nothing_and_raises_nothing(tmp_path):
    path = film_of(tmp_path / "a.mkv", [wavy_frame(32, 32, "yuv420p", "top")], "ffv1", said("top"))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    assert chroma_siting(path, 0) == (2, 1)
    for _ in range(300):
        damaged = bytearray(whole[: rng.integers(0, len(whole))])
        for at in rng.integers(0, max(1, len(damaged)), 4)[: len(damaged)]:
            damaged[at] = rng.integers(0, 256)
        path.write_bytes(damaged)
        chroma_siting(path, 0)
