"""Colours that go up and down, by which the place of chroma is found to a hundredth of a pixel."""

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tubelet.video.elementary import zeroed_memory

PERIOD = 20
"""Pixels of a wave: not as long as the blocks of codecs, so that their errors differ from wave to wave."""

OFFSETS = {
    "left": (0, 0.5), "center": (0.5, 0.5), "topleft": (0, 0), "top": (0.5, 0),
    "bottomleft": (0, 1), "bottom": (0.5, 1),
}  # fmt: skip
"""Where a chroma sample of 4:2:0 lies, in pixels right of and below the first of its four."""

LUMA, SWING = 120, 60


def wave(positions: np.ndarray) -> np.ndarray:
    """Chroma at places in pixels, less its middle."""
    return SWING * np.sin(2 * np.pi * positions / PERIOD)


def wavy_picture(height: int, width: int) -> np.ndarray:
    """RGB (H W 3) whose Cb goes up and down along rows, and Cr along columns, by the weights of BT.709."""
    cb, cr = wave(np.arange(width))[None, :], wave(np.arange(height))[:, None]
    red, blue = LUMA + 1.5748 * cr + 0 * cb, LUMA + 1.8556 * cb + 0 * cr
    green = (LUMA - 0.2126 * red - 0.0722 * blue) / 0.7152
    return np.clip(np.rint(np.stack([red, green, blue], -1)), 0, 255).astype(np.uint8)


def wavy_frame(height: int, width: int, pixel_format: str, place: str) -> av.VideoFrame:
    """The same as samples of a planar YUV format, with chroma taken exactly where `place` says."""
    frame = av.VideoFrame(width, height, pixel_format)
    columns, rows = 256 // frame.format.chroma_width(256), 256 // frame.format.chroma_height(256)
    across, down = OFFSETS[place][0] * (columns - 1), OFFSETS[place][1] * (rows - 1)
    chroma_rows, chroma_columns = frame.format.chroma_height(height), frame.format.chroma_width(width)
    cb = np.tile(wave(np.arange(chroma_columns) * columns + across), (chroma_rows, 1))
    cr = np.tile(wave(np.arange(chroma_rows) * rows + down), (chroma_columns, 1)).T
    planes = [np.full((height, width), LUMA), 128 + cb, 128 + cr]
    if len(frame.planes) == 2:
        planes = [planes[0], np.stack(planes[1:], -1).reshape(chroma_rows, -1)]
    if len(frame.planes) == 4:
        planes.append(np.full((height, width), 255))
    bits = frame.format.components[0].bits
    for plane, samples in zip(frame.planes, planes, strict=True):
        fill(plane, np.rint(samples * 2 ** (bits - 8)).astype("<u2" if bits > 8 else np.uint8))
    return frame


def fill(plane: av.video.plane.VideoPlane, samples: np.ndarray) -> None:
    """Write the rows of a plane, which are longer in memory."""
    rows = np.zeros((plane.height, plane.line_size // samples.itemsize), samples.dtype)
    rows[:, : samples.shape[1]] = samples
    plane.update(rows.tobytes())


def shift(values: np.ndarray, *, first: float = 0, step: float = 1) -> float:
    """How many pixels to the right (or below) of where it belongs a wave lies, along the last axis."""
    positions = first + step * np.arange(values.shape[-1])
    whole = int(PERIOD / step) * (values.shape[-1] // int(PERIOD / step))
    values = values.reshape(-1, values.shape[-1]).mean(0)[:whole]
    turned = (values - values.mean()) @ np.exp(-2j * np.pi * positions[:whole] / PERIOD)
    return -float((np.angle(turned) + np.pi / 2 + np.pi) % (2 * np.pi) - np.pi) / (2 * np.pi) * PERIOD


def shifts(picture: np.ndarray, *, margin: int = 10) -> tuple[float, float]:
    """How far Cb lies to the right and Cr below, in pixels, of RGB (H W 3) that begins with a wave."""
    red, green, blue = np.moveaxis(picture.astype(float), -1, 0)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    inside = slice(margin, -margin)
    cb, cr = (blue - luma)[inside, inside], (red - luma)[inside, inside]
    return shift(cb, first=margin), shift(cr.T, first=margin)


def film_of(
    path: Path, frames: list[av.VideoFrame], codec: str, options: dict[str, str], *, full: bool = False
) -> Path:
    """Code frames with PyAV alone; x265 writes files that cannot be muxed where memory was used before."""
    with zeroed_memory(), av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25, options=options)
        stream.width, stream.height = frames[0].width, frames[0].height
        stream.pix_fmt = frames[0].format.name
        context = stream.codec_context
        context.color_range, context.colorspace = 2 if full else 1, 1
        for index, frame in enumerate(frames):
            frame.pts, frame.time_base = index, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def read_by_zscale(path: Path, height: int, width: int) -> np.ndarray:
    """The first picture (H W 3) as another library converts it: zimg, in another build of FFmpeg."""
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="its FFmpeg has the filter zscale")
    colours = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709"
    done = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-frames:v", "1",
         "-vf", f"{colours},zscale=f=bicubic,format=gbrp", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    return np.frombuffer(done.stdout, np.uint8).reshape(height, width, 3)


def last_waves(picture: np.ndarray) -> np.ndarray:
    """The part of a picture at the right and below that begins with a wave and has three of them inside."""
    rows, columns = (side // PERIOD * PERIOD - 3 * PERIOD for side in picture.shape[:2])
    return picture[rows:, columns:]
