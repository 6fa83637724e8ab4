import struct
from fractions import Fraction

import numpy as np
import pytest

from tubelet.video.orientation import Orientation
from tubelet.video.probe import probe
from tubelet.video.read import read

EIGHT = [(degrees, mirrored) for degrees in (0, 90, 180, 270) for mirrored in (False, True)]


def upright(stored: np.ndarray, degrees: int, *, mirrored: bool) -> np.ndarray:
    """The slow and obvious way: mirror left to right, then turn anticlockwise."""
    return np.rot90(np.fliplr(stored) if mirrored else stored, degrees // 90)


@pytest.mark.parametrize(("degrees", "mirrored"), EIGHT)
def test_a_film_is_read_upright_and_mirrored_as_its_matrix_says(film, clip, degrees, mirrored):
    stored = clip(2, 24, 32)

    def lay(stream) -> None:
        # FFmpeg's helper mirrors after it has turned; mirroring first is turning the other way after it.
        stream.set_display_rotation(-degrees if mirrored else degrees, hflip=mirrored)

    path = film("laid.mov", stored, codec="png", pixel_format="rgb24", prepare=lay)
    frames = next(read(path)).frames
    assert np.array_equal(frames[0], upright(stored[0], degrees, mirrored=mirrored))
    info = probe(path)
    assert (info.rotation, info.mirrored) == (degrees, mirrored)
    assert (info.height, info.width) == frames.shape[1:3]
    assert (info.coded_height, info.coded_width) == (24, 32)


def test_pixels_that_are_not_square_are_told_as_they_are_displayed(film, clip):
    def lay(stream) -> None:
        stream.set_display_rotation(90)
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    info = probe(film("laid.mov", clip(1, 24, 32), codec="png", pixel_format="rgb24", prepare=lay))
    assert (info.sample_aspect, info.width, info.height) == (Fraction(3, 4), 24, 32)
    assert info.losses == ("its pixels are not square (3/4); frames stay 24x32, and are not stretched",)


@pytest.mark.parametrize(("transpose", "rows", "columns"), list(np.ndindex(2, 2, 2)))
def test_rotation_and_mirror_describe_what_is_applied(transpose, rows, columns):
    laid = Orientation(bool(transpose), bool(rows), bool(columns))
    stored = np.arange(12).reshape(3, 4)
    assert np.array_equal(laid.apply(stored), upright(stored, laid.rotation, mirrored=laid.mirrored))


def test_a_matrix_of_zeros_leaves_the_frame_as_stored():
    assert Orientation.from_matrix(bytes(36)) == Orientation()


def test_an_odd_angle_is_rounded_to_the_nearest_right_angle():
    matrix = struct.pack("<9i", 11000, 64600, 0, -64600, 11000, 0, 0, 0, 1 << 30)
    assert Orientation.from_matrix(matrix).rotation == 270


EXIF = {
    1: (0, False),
    2: (0, True),
    3: (180, False),
    4: (180, True),
    5: (90, True),
    6: (270, False),
    7: (270, True),
    8: (90, False),
}


@pytest.mark.parametrize("code", EXIF)
def test_a_photograph_is_read_upright_as_its_exif_says(tmp_path, film, clip, code):
    stored = film("stored.jpg", clip(1, 16, 32), codec="mjpeg", pixel_format="yuvj444p")
    plain = next(read(stored)).frames[0]
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x112, 3, 1, code, 0)
    app1 = b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff
    data = stored.read_bytes()
    turned = tmp_path / "turned.jpg"
    turned.write_bytes(data[:2] + app1 + data[2:])
    degrees, mirrored = EXIF[code]
    assert np.array_equal(next(read(turned)).frames[0], upright(plain, degrees, mirrored=mirrored))


@pytest.mark.parametrize(
    ("degrees", "lost"), [(0, False), (90, False), (180.3, False), (12, True), (45, True)]
)
def test_an_angle_that_is_rounded_is_a_loss(film, clip, degrees, lost):
    path = film(
        "laid.mov",
        clip(1, 24, 32),
        codec="png",
        pixel_format="rgb24",
        prepare=lambda stream: stream.set_display_rotation(degrees),
    )
    said = "it is meant to be turned by what is no right angle; frames are turned by the nearest one"
    assert probe(path).losses == ((said,) if lost else ())
