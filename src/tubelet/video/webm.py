"""RGB frames as a film in memory that browsers play: VP9 in WebM.

Browsers turn YUV into RGB with less care than `tubelet.video.convert`: Chromium is off by up to 12 levels in
BT.709 and by 2 in BT.601. RGB without loss comes out as it went in.
"""

import io
from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from tubelet.cores import CODEC_THREADS
from tubelet.errors import VideoError
from tubelet.types import Frames
from tubelet.video.convert import Encoding, FromRgb

LARGEST_SIDE = 16383
"""Rows or columns beyond which browsers and image formats give up."""

_LOSSLESS = Encoding("gbrp", "rgb", full=True)
_LOSSY = Encoding("yuv444p", "bt601", full=False)
_MILLISECOND = Fraction(1, 1000)
_BT709, _SRGB = 1, 13

# A player that steps backwards decodes from the key frame before, so one comes often; it costs some 10 %.
_OPTIONS = {
    "deadline": "good", "cpu-used": "5", "row-mt": "1", "g": "12", "b": "0",
    "threads": str(CODEC_THREADS),
}  # fmt: skip
# A film without loss takes long to decode; columns of tiles are decoded by as many threads.
_WITHOUT_LOSS = {"lossless": "1", "tile-columns": "2"}


def frames_to_webm(
    runs: Iterable[Frames], *, rate: Fraction, quality: int | None = None, most: int | None = None
) -> bytes | None:
    """Code a film that shows frame i from i / `rate` seconds on, rounded to a millisecond.

    Args:
        runs: all frames, in order, of one size.
        rate: frames per second, at most 500.
        quality: of VP9, from 0 to 63, 0 the finest; without loss for none.
        most: bytes that the film may take; the work ends as soon as it takes more.

    Returns:
        The film, or none if it would be larger than `most`.

    Raises:
        VideoError: there are no frames, or they cannot be coded.
    """
    memory = io.BytesIO()
    encoding = _LOSSLESS if quality is None else _LOSSY
    convert = FromRgb(encoding)
    stream: VideoStream | None = None
    index = 0
    try:
        with av.open(memory, "w", format="webm", container_options={"fflags": "bitexact"}) as output:
            for pixels in (pixels for run in runs for pixels in run):
                if stream is None:
                    stream = _stream(output, encoding, pixels.shape, rate, quality)
                frame = convert.frame(np.ascontiguousarray(pixels))
                frame.time_base = _MILLISECOND
                frame.pts = _tick(index, rate)
                frame.duration = _tick(index + 1, rate) - frame.pts
                index += 1
                output.mux(stream.encode(frame))
                if most is not None and memory.tell() > most:
                    return None
            if stream is None:
                raise VideoError("there are no frames, and a film has at least one.")
            output.mux(stream.encode(None))
    except (FFmpegError, ValueError) as error:
        raise VideoError(f"a film for browsers cannot be coded: {error}. Leave this clip out.") from error
    film = memory.getvalue()
    return None if most is not None and len(film) > most else film


def _tick(index: int, rate: Fraction) -> int:
    return round(index / rate / _MILLISECOND)


def _stream(
    output: OutputContainer, encoding: Encoding, shape: tuple[int, ...], rate: Fraction, quality: int | None
) -> VideoStream:
    how = _WITHOUT_LOSS if quality is None else {"crf": str(quality)}
    stream = output.add_stream("libvpx-vp9", options=_OPTIONS | how)
    assert isinstance(stream, VideoStream)
    context = stream.codec_context
    context.height, context.width = shape[:2]
    context.pix_fmt = encoding.pixel_format
    context.time_base, context.framerate = _MILLISECOND, rate
    stream.time_base = _MILLISECOND
    context.flags |= Flags.frame_duration | Flags.bitexact
    encoding.tag(context)
    # As canvases are: with any other transfer, a browser would convert.
    context.color_primaries, context.color_trc = _BT709, _SRGB
    return stream
