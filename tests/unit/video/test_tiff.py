"""How many pictures a TIFF holds, of which the first is read."""

import struct
from collections.abc import Sequence

import pytest

from tubelet.video.probe import probe
from tubelet.video.tiff import pictures_in_tiff


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
