"""What the container crops is cropped, before the frame is turned."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from tubelet.video.crop import Crop
from tubelet.video.orientation import Layout, Orientation
from tubelet.video.probe import probe
from tubelet.video.read import read


def add_clap(path: Path, *, width: int, height: int, right: int = 0, down: int = 0) -> Path:
    """Add the box `clap` to an MP4 whose header is at its end; offsets are of the middle, in half pixels."""
    data = bytearray(path.read_bytes())
    assert data.find(b"mdat") < data.find(b"moov")
    begin, end, parents = 0, len(data), []
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        while data[begin + 4 : begin + 8] != name:
            begin += int.from_bytes(data[begin : begin + 4], "big")
            assert begin < end
        parents.append(begin)
        end = begin + int.from_bytes(data[begin : begin + 4], "big")
        begin += 8 + {b"stsd": 8, b"avc1": 78}.get(name, 0)
    data[end:end] = struct.pack(">I4s8i", 40, b"clap", width, 1, height, 1, right, 2, down, 2)
    for parent in parents:
        size = int.from_bytes(data[parent : parent + 4], "big") + 40
        data[parent : parent + 4] = size.to_bytes(4, "big")
    path.write_bytes(data)
    return path


def remux(path: Path, name: str, *, degrees: int = 0) -> Path:
    """Copy a film's packets into another container, turned."""
    target = path.with_name(name)
    with av.open(str(path)) as source, av.open(str(target), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0], opaque=True)
        if degrees:
            stream.set_display_rotation(degrees)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    return target


def frames_of(path: Path) -> np.ndarray:
    return np.concatenate([run.frames.copy() for run in read(path)])


@pytest.fixture
def whole(film, clip):
    path = film("whole.mp4", clip(3, 48, 64), options={"qp": "0"}, pixel_format="yuv444p")
    return path, frames_of(path)


def test_mp4_is_cropped_where_its_clap_says(whole):
    path, pixels = whole
    # 64x48 to 40x30 with the middle moved by 4 columns to the right and 3 rows up.
    cropped = frames_of(add_clap(path, width=40, height=30, right=8, down=-6))
    assert np.array_equal(cropped, pixels[:, 6:36, 16:56])
    info = probe(path)
    assert (info.width, info.height, info.coded_width, info.coded_height) == (40, 30, 64, 48)


@pytest.mark.parametrize("name", ["cropped.mkv", "cropped.mov"])
def test_other_containers_crop_as_well(whole, name):
    path, pixels = whole
    copied = remux(add_clap(path, width=64, height=20), name)
    assert np.array_equal(frames_of(copied), pixels[:, 14:34])


def test_a_frame_is_cropped_before_it_is_turned(whole):
    path, pixels = whole
    turned = remux(add_clap(path, width=40, height=48, right=-24), "turned.mp4", degrees=90)
    assert np.array_equal(frames_of(turned), np.rot90(pixels[:, :, :40], axes=(1, 2)))
    assert (probe(turned).width, probe(turned).height) == (48, 40)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (0, 0), (-8, 20)])
def test_a_crop_without_meaning_is_passed_over(whole, width, height):
    path, pixels = whole
    assert frames_of(add_clap(path, width=width, height=height)).shape == pixels.shape


def test_layout_crops_the_stored_sides():
    plane = np.arange(24).reshape(4, 6)
    layout = Layout(Crop(left=1, right=2, top=1), Orientation(flip_columns=True))
    assert np.array_equal(layout.apply(plane), plane[1:, 1:4][:, ::-1])
