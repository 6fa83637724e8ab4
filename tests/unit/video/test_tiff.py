"""How many pictures a TIFF holds, of which the first is read, and of which kinds it may be."""

import struct
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress

import numpy as np
import pytest

from tubelet.errors import VideoError
from tubelet.video.probe import probe
from tubelet.video.read import read
from tubelet.video.tiff import check_kind, pictures_in_tiff


def tiff_of(pages: Sequence[int | None], order: str, *, big: bool) -> bytes:
    """A TIFF of 1x1 grey pictures; of each its subfile type, if it says one."""
    place, count, inline = ("Q", "Q", 8) if big else ("I", "H", 4)

    def pack(kind: str, *numbers: int) -> bytes:
        return struct.pack(order + kind, *numbers)

    head = (b"II" if order == "<" else b"MM") + pack("H", 43 if big else 42)
    data = bytearray(head + (pack("HH", 8, 0) if big else b""))
    link = len(data)
    data += bytes(struct.calcsize(place)) + b"\x7f\0"
    for kind in pages:
        tags = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: len(data) - 2, 278: 1, 279: 1}
        tags = tags if kind is None else {254: kind, **tags}
        at = len(data)
        data[link : link + struct.calcsize(place)] = pack(place, at)
        data += pack(count, len(tags))
        for tag, value in tags.items():
            data += pack("HH" + place, tag, 4, 1) + pack("I", value).ljust(inline, b"\0")
        link = len(data)
        data += bytes(struct.calcsize(place)) + b"\x7f\0"
    return bytes(data)


@pytest.mark.parametrize("big", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("pages", "count"), [([None], 1), ([None] * 3, 3), ([0, 1, 2, 4], 2), ([0, 1], 1), ([], 0)]
)
def test_pictures_of_a_tiff_are_counted_without_copies_and_masks(tmp_path, order, big, pages, count):
    path = tmp_path / "a.tiff"
    data = tiff_of(pages, order, big=big)
    path.write_bytes(data)
    assert pictures_in_tiff(path) == count
    for cut in range(len(data) - 2):
        path.write_bytes(data[:cut])
        assert pictures_in_tiff(path) <= count


def test_pages_of_a_tiff_that_are_not_read_are_a_loss(tmp_path):
    path = tmp_path / "stack.tiff"
    path.write_bytes(tiff_of([None] * 3, "<", big=False))
    assert probe(path).losses == ("it holds 3 pictures, of which the first is read",)
    path.write_bytes(tiff_of([None], "<", big=False))
    assert probe(path).losses == ()


def test_a_tiff_whose_pages_go_in_a_circle_has_those_of_it(tmp_path):
    path = tmp_path / "circle.tiff"
    data = bytearray(tiff_of([None], "<", big=False))
    data[-6:-2] = data[4:8]
    path.write_bytes(data)
    assert pictures_in_tiff(path) == 1


def test_a_tiff_whose_many_directories_lie_over_one_another_is_soon_done(tmp_path):
    path, entries, directories = tmp_path / "many.tiff", 60_000, 2_000
    data = bytearray(12 * (entries + directories + 2))
    data[:8] = b"II*\0" + struct.pack("<I", 8)
    for number in range(directories):
        at = 8 + 12 * number
        data[at : at + 2] = struct.pack("<H", entries)
        end = at + 2 + 12 * entries
        data[end : end + 4] = struct.pack("<I", at + 12)
    path.write_bytes(data)
    begin = time.process_time()
    assert pictures_in_tiff(path) == 0
    assert time.process_time() - begin < 5


def picture(bits: int, samples: int, colours: int, kind: int, order: str, data: bytes) -> bytes:
    """A TIFF of one picture of 4x4 pixels."""

    def pack(numbers: str, *values: int) -> bytes:
        return struct.pack(order + numbers, *values)

    tags = {256: 4, 257: 4, 258: bits, 259: 1, 262: colours, 273: 8, 277: samples, 278: 4, 279: len(data)}
    beside, directory = b"", pack("H", len(tags) + 1)
    end = 8 + len(data) + 2 + 12 * (len(tags) + 1) + 4
    for tag, value in (tags | {339: kind}).items():
        count = samples if tag in {258, 339} else 1
        values = pack("H" * count, *[value] * count)
        if len(values) > 4:
            beside, values = beside + values, pack("I", end + len(beside))
        directory += pack("HHI", tag, 3, count) + values.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + pack("HI", 42, 8 + len(data))
    return head + data + directory + bytes(4) + beside


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("bits", "samples", "colours", "kind", "words"),
    [
        (32, 1, 1, 3, "floating-point samples of 32 bits"),
        (64, 1, 1, 3, "floating-point samples of 64 bits"),
        (16, 3, 2, 3, "floating-point samples of 16 bits"),  # FFmpeg takes their bits for whole numbers
        (32, 3, 2, 1, "samples of 32 bits"),  # and those for floating-point numbers
        (32, 1, 1, 1, "samples of 32 bits"),
        (8, 1, 1, 2, "signed samples of 8 bits"),
        (16, 3, 2, 2, "signed samples of 16 bits"),
        (32, 1, 1, 2, "signed samples of 32 bits"),
        (8, 3, 8, 1, "CIELAB colours"),
        (16, 3, 32845, 1, "LogLuv colours"),
    ],
)
def test_a_kind_of_tiff_that_is_not_read_is_named_and_no_damage(
    tmp_path, order, bits, samples, colours, kind, words
):
    path = tmp_path / "a.tiff"
    data = picture(bits, samples, colours, kind, order, bytes(2 * bits * samples))
    path.write_bytes(data)
    with pytest.raises(VideoError, match=f"is a TIFF of {words}, which is not read.*-depth 16") as raised:
        probe(path)
    assert "damaged" not in str(raised.value)
    for cut in range(len(data)):  # no error of Python, whatever is cut off
        path.write_bytes(data[:cut])
        with suppress(VideoError):
            check_kind(path, decoded=False)


@pytest.mark.parametrize(("order", "float_kind"), [("<", "<f4"), (">", ">f4")])
def test_kinds_of_tiff_that_are_read_give_their_values(tmp_path, order, float_kind):
    path, levels = tmp_path / "a.tiff", np.arange(0, 240, 5, dtype=np.uint8)
    for bits, kind, stored in (
        (8, 1, levels),
        (16, 1, (levels * np.uint16(257)).astype(f"{order}u2")),
        (32, 3, (levels / 255).astype(float_kind)),
    ):
        path.write_bytes(picture(bits, 3, 2, kind, order, stored.tobytes()))
        with pytest.warns() if bits > 8 else nullcontext():
            (run,) = read(path)
        assert np.abs(run.frames.astype(int).ravel() - levels).max() <= 1
