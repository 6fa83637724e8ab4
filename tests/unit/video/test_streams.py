"""The picture of a file is found among its streams."""

import struct
import warnings
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from tubelet.errors import LossWarning, VideoError
from tubelet.video.probe import probe
from tubelet.video.read import read


def several(path: Path, *streams: tuple[np.ndarray, dict[str, object]]) -> Path:
    """Write streams of frames (T H W 3) side by side, each with a codec, a pixel format and a disposition."""
    with av.open(str(path), "w") as output:
        opened = []
        for frames, facts in streams:
            stream = output.add_stream(str(facts.get("codec", "libx264")), rate=10)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = str(facts.get("pixel_format", "yuv420p"))
            stream.disposition = facts.get("disposition", Disposition(0))
            opened.append(stream)
        packets = []
        for stream, (frames, _) in zip(opened, streams, strict=True):
            for index, pixels in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, 10)
                packets += stream.encode(frame)
            packets += stream.encode(None)
        for packet in packets:
            output.mux(packet)
    return path


def shape_of(path: Path) -> tuple[int, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LossWarning)
        return np.concatenate([run.frames.copy() for run in read(path)]).shape


DEFAULT = Disposition.default


def test_cover_art_before_the_film_is_passed_over(tmp_path, clip):
    cover = (
        clip(1, 96, 96),
        {"codec": "png", "pixel_format": "rgb24", "disposition": Disposition.attached_pic},
    )
    path = several(tmp_path / "a.mp4", cover, (clip(5, 32, 48), {"disposition": DEFAULT}))
    assert shape_of(path) == (5, 32, 48, 3)


def test_a_still_before_the_film_is_passed_over_by_its_number_of_frames(tmp_path, clip):
    path = several(
        tmp_path / "a.mp4",
        (clip(2, 96, 96), {"disposition": DEFAULT}),
        (clip(9, 32, 48), {"disposition": DEFAULT}),
    )
    assert shape_of(path) == (9, 32, 48, 3)


def test_the_larger_of_two_films_is_read_and_the_other_is_named(tmp_path, clip):
    path = several(
        tmp_path / "a.mp4",
        (clip(5, 16, 16), {"disposition": DEFAULT}),
        (clip(5, 32, 48), {"disposition": DEFAULT}),
    )
    assert shape_of(path) == (5, 32, 48, 3)
    assert any("2 video streams, of which number 1 (48x32)" in loss for loss in probe(path).losses)


def test_a_grey_plane_beside_a_film_is_not_its_picture(tmp_path, clip):
    grey = (clip(5, 32, 48), {"codec": "ffv1", "pixel_format": "gray", "disposition": DEFAULT})
    colour = (clip(5, 32, 48), {"codec": "ffv1", "pixel_format": "yuv420p", "disposition": DEFAULT})
    path = several(tmp_path / "a.mkv", grey, colour)
    assert probe(path).pixel_format == "yuv420p"
    assert "its transparency, a stream of its own, is dropped" in probe(path).losses


def avif_sequence(path: Path, *, alpha: bool, length: int) -> Path:
    """An AVIF of several frames by Pillow: a still, and tracks of colour and transparency beside it."""
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 4 if alpha else 3), np.uint8)
    frames = [image.fromarray(np.roll(pixels, 5 * index, 1)) for index in range(length)]
    try:
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    except (KeyError, OSError):
        pytest.skip("this Pillow writes no AVIF")
    return path


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("length", [2, 3, 6])
def test_of_an_avif_sequence_the_colour_track_is_read(tmp_path, alpha, length):
    path = avif_sequence(tmp_path / "a.avif", alpha=alpha, length=length)
    assert shape_of(path) == (length, 32, 48, 3)
    losses = probe(path).losses
    assert losses == (("its transparency, a stream of its own, is dropped",) if alpha else ())


def box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


@pytest.fixture
def avif(film, clip):
    """An AVIF written box by box, as cameras make them: a grid of tiles in a row, or one cropped image.

    Each is coded as 64x64; `width` is what the grid shows of its tiles.
    """

    def make(path: Path, *, crop: tuple[int, int] | None = None, tiles: int = 2, width: int = 128) -> Path:
        options = {"svtav1-params": "lp=1", "preset": "12"}
        still = film("still.mp4", clip(1, 64, 64), codec="libsvtav1", options=options)
        with av.open(str(still)) as source:
            coded = bytes(next(source.demux(video=0)))
            set_up = source.streams.video[0].codec_context.extradata or b""
        grid = struct.pack(">BBBBHH", 0, 0, 0, tiles - 1, width, 64)
        clap = struct.pack(">8i", *((crop[0], 1, crop[1], 1) if crop else (64, 1, 64, 1)), 0, 1, 0, 1)
        properties = (
            full(b"ispe", 0, 0, struct.pack(">II", width, 64)),
            full(b"ispe", 0, 0, struct.pack(">II", 64, 64)),
            box(b"av1C", set_up),
            box(b"clap", clap),
        )
        numbers = (2,) if crop else (1, 2, 3)[: 1 + tiles]
        kinds = {1: (b"grid", 0), 2: (b"av01", 0 if crop else 1), 3: (b"av01", 1)}
        grid_of = b"" if crop else box(b"dimg", struct.pack(f">{2 + tiles}H", 1, tiles, *numbers[1:]))
        links = {1: [1], 2: [2, 0x83, 0x84] if crop else [2, 0x83], 3: [2, 0x83]}

        def meta(base: int) -> bytes:
            places = {1: (1, 0, len(grid)), 2: (0, base, len(coded)), 3: (0, base, len(coded))}
            return full(
                b"meta", 0, 0,
                full(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13)),
                full(b"pitm", 0, 0, struct.pack(">H", numbers[0])),
                full(b"iloc", 1, 0, struct.pack(">BBH", 0x44, 0, len(numbers)), *(
                    struct.pack(">HHHHII", each, places[each][0], 0, 1, *places[each][1:]) for each in numbers
                )),
                full(b"iinf", 0, 0, struct.pack(">H", len(numbers)), *(
                    full(b"infe", 2, kinds[each][1], struct.pack(">HH4s", each, 0, kinds[each][0]), b"\0")
                    for each in numbers
                )),
                full(b"iref", 0, 0, grid_of),
                box(b"iprp", box(b"ipco", *properties), full(
                    b"ipma", 0, 0, struct.pack(">I", len(numbers)),
                    *(struct.pack(">HB", each, len(links[each])) + bytes(links[each]) for each in numbers),
                )),
                box(b"idat", grid),
            )  # fmt: skip

        head = box(b"ftyp", b"avif", bytes(4), b"avifmif1miaf")
        path.write_bytes(head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", coded))
        return path

    return make


def test_an_image_of_tiles_is_refused_by_name_and_not_read_as_its_first_tile(tmp_path, avif):
    with pytest.raises(VideoError, match=r"image of 2 tiles.*ffmpeg -i"):
        probe(avif(tmp_path / "tiles.avif"))


def test_an_avif_is_cropped_where_its_clap_says(tmp_path, avif):
    whole, path = avif(tmp_path / "whole.avif", crop=(64, 64)), tmp_path / "cropped.avif"
    (cropped,), (uncropped,) = read(avif(path, crop=(40, 20))), read(whole)
    assert np.array_equal(cropped.frames, uncropped.frames[:, 22:42, 12:52])


def test_an_image_coded_with_a_margin_is_refused_by_name_and_not_read_with_it(tmp_path, avif):
    # What libheif makes of sizes that an encoder fills up: a grid of one tile.
    with pytest.raises(VideoError, match=r"coded with a margin.*ffmpeg -i"):
        probe(avif(tmp_path / "margin.avif", tiles=1, width=59))
