"""RGB frames to the elementary stream of a codec and back, without a container: for measuring codecs.

What counts is what a decoder needs: the bytes of the packets, parameter sets included, less the text about
itself that x264 puts in front. Colours are converted
as everywhere else (`tubelet.video.convert`), to BT.709 of limited range, with chroma where the codec has it.
"""

import ctypes
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, cast

import av
import numpy as np
from av.codec import CodecContext
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from tubelet.errors import OptionError, VideoError
from tubelet.types import Frames
from tubelet.video.convert import Encoding, FromRgb, ToRgb
from tubelet.video.orientation import Orientation

_M_PERTURB = -6

Chroma = Literal["420", "444"]
"""Chroma at half the rows and columns, or at all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """How frames are coded.

    Attributes:
        encoder: FFmpeg's name of the encoder.
        decoder: FFmpeg's name of the decoder.
        options: the encoder's settings.
        chroma: how much of chroma is kept.
    """

    encoder: str
    decoder: str
    options: Mapping[str, str]
    chroma: Chroma = "420"

    @property
    def encoding(self) -> Encoding:
        """The pixels that the encoder gets."""
        return Encoding(f"yuv{self.chroma}p", "bt709", full=False)


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A coded clip in memory.

    Attributes:
        packets: in the order of decoding.
        frames: how many frames they hold.
        height: rows of the clip.
        width: columns of the clip.
    """

    packets: tuple[Packet, ...]
    frames: int
    height: int
    width: int

    @property
    def bytes(self) -> int:
        """Of all packets, headers and parameter sets included, without the encoder's text about itself."""
        return sum(packet.size for packet in self.packets) - _text_bytes(bytes(self.packets[0]))


def check_encoder(name: str) -> None:
    """Raise unless this FFmpeg has an encoder.

    Raises:
        OptionError: it has none of this name.
    """
    if name not in av.codecs_available:
        raise OptionError(f"PyAV's FFmpeg has no encoder {name!r} here. Install PyAV from a wheel of PyPI.")


def library_versions() -> dict[str, str]:
    """The versions of FFmpeg's libraries."""
    return {name: ".".join(map(str, numbers)) for name, numbers in av.library_versions.items()}


def frames_to_stream(frames: Frames, coding: Coding, *, rate: Fraction) -> Stream:
    """Code a clip in one thread; frames of odd size are filled up by repeating the last row and column.

    Args:
        frames: the clip.
        coding: how.
        rate: frames per second; encoders that spread bits over time look at it.

    Raises:
        VideoError: the encoder refuses the size or the settings.
    """
    length, height, width = frames.shape[:3]
    filled = coding.encoding.filled
    convert = FromRgb(coding.encoding)
    packets: list[Packet] = []
    try:
        with zeroed_memory():
            context = _encoder(coding, filled(frames[0]).shape, rate)
            for index, pixels in enumerate(frames):
                frame = convert.frame(filled(pixels))
                frame.pts, frame.time_base = index, 1 / rate
                packets += context.encode(frame)
            packets += context.encode(None)
    except (FFmpegError, ValueError) as error:
        settings = " ".join(f"{name}={value}" for name, value in coding.options.items())
        # FFmpeg's own text holds its call, with all of the settings once more.
        reason = error.strerror if isinstance(error, FFmpegError) else error
        raise VideoError(
            f"{coding.encoder} cannot code {width}x{height} with {settings}: {reason}. Choose other "
            "settings, or leave this clip out."
        ) from error
    return Stream(packets=tuple(packets), frames=length, height=height, width=width)


def stream_to_frames(stream: Stream, coding: Coding) -> Frames:
    """Decode a clip in one thread; the mirror of `frames_to_stream`.

    Raises:
        VideoError: it does not decode to as many frames.
    """
    context = cast(VideoCodecContext, CodecContext.create(coding.decoder, "r"))
    context.thread_count = 1
    to_rgb = ToRgb(Orientation())
    result = np.empty((stream.frames, stream.height, stream.width, 3), np.uint8)
    count = 0
    try:
        for packet in (*stream.packets, None):
            for frame in context.decode(packet):
                if count < stream.frames:
                    result[count] = _cropped(frame, to_rgb, stream)
                count += 1
    except FFmpegError as error:
        raise VideoError(f"{coding.decoder} cannot decode what {coding.encoder} coded: {error}.") from error
    if count != stream.frames:
        raise VideoError(f"{coding.decoder} gave {count} frames of {stream.frames} that were coded.")
    return result


@contextmanager
def zeroed_memory() -> Iterator[None]:
    """Let the C library zero what it hands out meanwhile (glibc only; elsewhere nothing changes).

    x264 and x265 read memory that they never wrote: the same frames gave packets that differed by a few
    percent from run to run, in a single thread and with identical input.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        yield
        return
    mallopt(_M_PERTURB, 0xFF)  # the byte is inverted before memory is filled with it
    try:
        yield
    finally:
        mallopt(_M_PERTURB, 0)


def _encoder(coding: Coding, shape: tuple[int, ...], rate: Fraction) -> VideoCodecContext:
    # SVT-AV1 tells stderr all its settings, and only the environment can stop it.
    os.environ.setdefault("SVT_LOG", "1")
    context = cast(VideoCodecContext, CodecContext.create(coding.encoder, "w"))
    context.height, context.width = shape[:2]
    context.pix_fmt = coding.encoding.pixel_format
    context.time_base, context.framerate = 1 / rate, rate
    context.options = dict(coding.options)
    coding.encoding.tag(context)
    context.color_primaries, context.color_trc = 1, 1
    context.thread_count = 1
    return context


def _text_bytes(packet: bytes) -> int:
    """The length of the unit of H.264 with x264's version and settings, if a packet begins with one.

    ITU-T H.264, annex B and D.1.7: unit type 6, payload type 5 (user data), up to the next start code.
    """
    begin = packet.find(b"\x00\x00\x01\x06\x05")
    if begin < 0 or b"x264 - core" not in packet:
        return 0
    end = packet.find(b"\x00\x00\x01", begin + 5)
    return 0 if end < 0 else end - begin


def _cropped(frame: VideoFrame, to_rgb: ToRgb, stream: Stream) -> np.ndarray:
    """The picture without its filling."""
    whole = np.empty((frame.height, frame.width, 3), np.uint8)
    to_rgb.write(frame, whole)
    return whole[: stream.height, : stream.width]
