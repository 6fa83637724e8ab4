"""Edit lists and timestamps that put frames before time 0: what players show is read, from any frame on."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from tubelet.errors import VideoError
from tubelet.video.probe import probe
from tubelet.video.read import read, read_from

COUNT = 12
TENTH = Fraction(1, 10)
KEPT = {"avoid_negative_ts": "disabled"}
DELAYED = {"options": {"bf": "2", "g": "6"}}
VP9 = {"codec": "libvpx-vp9", "options": {"g": "6", "cpu-used": "8", "deadline": "realtime"}}


@pytest.fixture
def begun(film, numbered):
    """A film of frames a tenth of a second apart, the first of which has this number of tenths."""

    def make(name: str, first: int, *, container=KEPT, **options):
        times = list(range(first, first + COUNT))
        frames = [av.VideoFrame.from_ndarray(picture, "rgb24") for picture in numbered(COUNT)]
        for frame in frames:
            frame.duration = 1
        return film(name, frames, timestamps=times, time_base=TENTH, container=container, **options)

    return make


def boxes(data: bytes, begin: int, end: int) -> dict[bytes, tuple[int, int]]:
    """Where the parts of an MP4 are, by their kind."""
    found = {}
    while begin < end:
        size, kind = struct.unpack(">I4s", data[begin : begin + 8])
        found[kind] = (begin, size)
        begin += size
    return found


def edit(path, *edits: tuple[int, int]) -> None:
    """Replace the edit list: milliseconds of each edit, and the ticks of the media from when it shows."""
    data = path.read_bytes()
    moov, moov_size = boxes(data, 0, len(data))[b"moov"]
    trak, trak_size = boxes(data, moov + 8, moov + moov_size)[b"trak"]
    edts, edts_size = boxes(data, trak + 8, trak + trak_size)[b"edts"]
    entries = b"".join(struct.pack(">IiHH", *each, 1, 0) for each in edits)
    listed = struct.pack(">I4sII", 16 + len(entries), b"elst", 0, len(edits)) + entries
    new = struct.pack(">I4s", 8 + len(listed), b"edts") + listed
    changed = bytearray(data[:edts] + new + data[edts + edts_size :])
    for begin, size in ((moov, moov_size), (trak, trak_size)):
        struct.pack_into(">I", changed, begin, size + len(new) - edts_size)
    path.write_bytes(changed)


def check(path, number_of, *, shown: list[int], first: Fraction) -> None:
    """These frames are read, from the beginning and from each of them on, a tenth of a second apart."""
    info = probe(path)
    (whole,) = read(path, run=COUNT * 2)
    assert number_of(whole.frames) == shown
    times = [int(tick) * info.time_base for tick in whole.timestamps]
    assert times == [first + number * TENTH for number in range(len(shown))]
    assert whole.end is not None
    assert whole.end * info.time_base == times[-1] + TENTH
    for number, time in enumerate(times):
        runs = list(read_from(path, time, run=5))
        assert [int(tick) for run in runs for tick in run.timestamps] == whole.timestamps[number:].tolist()
        assert np.array_equal(np.concatenate([run.frames for run in runs]), whole.frames[number:])


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("options", [{"options": {"bf": "0", "g": "6"}}, DELAYED])
def test_what_an_edit_list_puts_before_time_0_is_not_shown(begun, number_of, suffix, options):
    path = begun(f"cut{suffix}", -5, **options)
    check(path, number_of, shown=list(range(5, COUNT)), first=Fraction(0))
    assert probe(path).frames == COUNT - 5


@pytest.mark.parametrize(
    ("name", "first", "options"),
    [
        ("early.ts", Fraction(-1, 2), DELAYED),
        ("early.webm", Fraction(-1, 2), VP9),
        ("early.mp4", Fraction(1, 5), DELAYED),  # without an edit list, what is decoded first is at 0
    ],
)
def test_what_mere_timestamps_put_before_time_0_is_shown(begun, number_of, name, first, options):
    path = begun(name, -5, container=KEPT | {"use_editlist": "0"}, **options)
    check(path, number_of, shown=list(range(COUNT)), first=first)


TICK = 1024
"""Of MP4, of a tenth of a second; B-frames delay the first by two."""


@pytest.mark.parametrize(
    ("edits", "shown", "first"),
    [
        ([(400, 7 * TICK)], [5, 6, 7, 8], 0),
        ([(700, -1), (400, 5 * TICK)], [3, 4, 5, 6], Fraction(7, 10)),
        ([(400, 2 * TICK), (400, 2 * TICK)], [0, 1, 2, 3, 0, 1, 2, 3], 0),
        ([(300, 10 * TICK), (300, 2 * TICK)], [8, 9, 10, 0, 1, 2], 0),
    ],
)
def test_the_frames_of_an_edit_list_are_read_and_counted(begun, number_of, edits, shown, first):
    path = begun("edited.mp4", 0, **DELAYED)
    edit(path, *edits)
    check(path, number_of, shown=shown, first=first)
    assert probe(path).frames == len(shown)


@pytest.mark.parametrize("edits", [[(1000, 500 * TICK)], [(0, 2 * TICK)]])
def test_an_edit_list_that_shows_nothing_is_named(begun, edits):
    path = begun("hidden.mp4", 0, **DELAYED)
    edit(path, *edits)
    with pytest.raises(VideoError, match=r"shows none of them.*-ignore_editlist 1 -i hidden\.mp4 -c copy"):
        list(read(path))


def test_frames_that_all_end_before_time_0_are_named(begun):
    with pytest.raises(VideoError, match="its edit list shows none of them"):
        probe(begun("before.mp4", -2 * COUNT, **DELAYED))
