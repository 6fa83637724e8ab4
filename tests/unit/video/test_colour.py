"""Colours against the definition of each matrix in float64."""

import av
import numpy as np
import pytest

from tubelet.errors import VideoError
from tubelet.video.convert import ToRgb, colour_of
from tubelet.video.orientation import Orientation

WEIGHTS = {
    "bt709": (0.2126, 0.0722),
    "bt601": (0.299, 0.114),
    "bt2020": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
}
TAGS = {"bt709": 1, "bt601": 6, "bt2020": 9, "smpte240m": 7}


def reference(samples: np.ndarray, weights: tuple[float, float], *, full: bool, bits: int = 8) -> np.ndarray:
    """ITU-T H.273 equations, from Y'CbCr samples (3 H W) to R'G'B' levels 0 to 255 (H W 3)."""
    red, blue = weights
    scale = 2.0 ** (bits - 8)
    black, luma, chroma = (
        (0, 256 * scale - 1, 256 * scale - 1) if full else (16 * scale, 219 * scale, 224 * scale)
    )
    y, cb, cr = (
        (samples[0] - black) / luma,
        (samples[1] - 128 * scale) / chroma,
        (samples[2] - 128 * scale) / chroma,
    )
    r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
    g = (y - red * r - blue * b) / (1 - red - blue)
    return np.clip(np.stack([r, g, b], -1) * 255, 0, 255)


def frame_of(planes: list[np.ndarray], pixel_format: str, *, matrix: int, range_: int) -> av.VideoFrame:
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pixel_format)
    for plane, samples in zip(frame.planes, planes, strict=True):
        padded = np.zeros((plane.height, plane.line_size // samples.itemsize), samples.dtype)
        padded[:, : plane.width] = samples
        plane.update(padded.tobytes())
    frame.colorspace, frame.color_range = matrix, range_
    return frame


def rgb(frame: av.VideoFrame) -> np.ndarray:
    pixels = np.empty((frame.height, frame.width, 3), np.uint8)
    ToRgb(Orientation()).write(frame, pixels)
    return pixels


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", WEIGHTS)
def test_every_sample_of_444_becomes_the_nearest_level(matrix, full):
    # Beyond the limits of BT.709, where blue would exceed twice its range, swscale overflows.
    samples = np.random.default_rng(0).integers(16, 241, (3, 64, 64), np.uint8)
    frame = frame_of(list(samples), "yuv444p", matrix=TAGS[matrix], range_=2 if full else 1)
    error = rgb(frame) - reference(samples.astype(float), WEIGHTS[matrix], full=full)
    assert np.abs(error).max() < 0.55
    assert abs(error.mean()) < 0.03


@pytest.mark.parametrize("full", [False, True])
def test_subsampled_chroma_brings_no_bias(full):
    rng = np.random.default_rng(1)
    errors = []
    for flat in rng.integers(100, 156, (100, 2)):
        luma = rng.integers(80, 180, (32, 32), np.uint8)
        cb, cr = (np.full((16, 16), level, np.uint8) for level in flat)
        frame = frame_of([luma, cb, cr], "yuv420p", matrix=1, range_=2 if full else 1)
        samples = np.stack([luma, *(np.full((32, 32), level) for level in flat)]).astype(float)
        errors.append(rgb(frame) - reference(samples, WEIGHTS["bt709"], full=full))
    assert abs(np.mean(errors)) < 0.03
    assert np.abs(errors).max() < 0.85


def test_ten_bits_are_rounded_to_eight_without_bias():
    samples = np.random.default_rng(2).integers(300, 700, (3, 64, 64)).astype(np.uint16)
    frame = frame_of(list(samples), "yuv444p10le", matrix=9, range_=1)
    error = rgb(frame) - reference(samples.astype(float), WEIGHTS["bt2020"], full=False, bits=10)
    assert np.abs(error).max() < 1.2
    assert abs(error.mean()) < 0.05


def test_an_untagged_frame_is_bt601_limited():
    frame = av.VideoFrame(8, 8, "yuv420p")
    assert (colour_of(frame).matrix, colour_of(frame).range, colour_of(frame).tagged) == (
        "bt601",
        "limited",
        False,
    )


def test_a_yuvj_frame_is_full_range_whatever_its_tag_says():
    frame = av.VideoFrame(8, 8, "yuvj420p")
    frame.color_range = 1
    assert colour_of(frame).range == "full"


def test_a_matrix_that_cannot_be_undone_is_refused_by_number():
    frame = av.VideoFrame(8, 8, "yuv420p")
    frame.colorspace = 8
    with pytest.raises(VideoError, match="colour matrix 8"):
        colour_of(frame)


@pytest.mark.parametrize("pixel_format", ["rgb24", "bgr0", "gbrp", "bgra", "argb"])
def test_rgb_of_any_order_is_taken_exactly(pixel_format, clip):
    pixels = clip(1, 9, 13)[0]
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pixel_format)
    assert np.array_equal(rgb(frame), pixels)


def test_grey_gives_three_equal_channels():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixels = rgb(av.VideoFrame.from_ndarray(levels, format="gray"))
    assert (pixels == pixels[..., :1]).all()


def test_transparency_is_put_on_black_and_rounded():
    rng = np.random.default_rng(3)
    rgba = rng.integers(0, 256, (16, 16, 4), np.uint8)
    expected = np.floor(rgba[..., :3].astype(float) * rgba[..., 3:] / 255 + 0.5)
    assert np.array_equal(rgb(av.VideoFrame.from_ndarray(rgba, format="rgba")), expected)


@pytest.mark.parametrize(
    ("name", "bits"), [("rgb565le", (5, 6, 5)), ("bgr555be", (5, 5, 5)), ("rgb444le", (4, 4, 4))]
)
def test_few_levels_of_a_colour_go_from_black_to_white(name, bits):
    frame = av.VideoFrame(64, 4, name)
    order = "<u2" if name.endswith("le") else ">u2"
    words = np.append(np.random.default_rng(5).integers(0, 1 << sum(bits), 254), [0, (1 << sum(bits)) - 1])
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    rows[:, :128] = words.astype(order).reshape(4, 64).view(np.uint8)
    high, middle, low = (
        words >> (bits[1] + bits[2]) & ((1 << bits[0]) - 1),
        words >> bits[2] & ((1 << bits[1]) - 1),
        words & ((1 << bits[2]) - 1),
    )
    red, blue = (high, low) if name.startswith("rgb") else (low, high)
    levels = [
        np.rint(255 * one / ((1 << each) - 1)) for one, each in zip((red, middle, blue), bits, strict=True)
    ]
    assert np.array_equal(rgb(frame), np.stack(levels, -1).reshape(4, 64, 3))
