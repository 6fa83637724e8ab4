"""The encoders behind `Writer`: one for films, one for images."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.codec import CodecContext
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from tubelet.cores import CODEC_THREADS
from tubelet.video.audio import AudioPacket, AudioTrack, can_hold
from tubelet.video.convert import Encoding, FromRgb
from tubelet.video.info import BT709, AudioInfo, Colour

_THREADS = str(CODEC_THREADS)
_HDR_TRANSFERS = {16, 18}
_UNSPECIFIED = 2
_MILLISECOND = Fraction(1, 1000)
_HELD = 2
_LARGEST = (1 << 31) - 1
"""Greatest part of a ratio that FFmpeg takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container format and the codec that fills it.

    Attributes:
        format: FFmpeg's name of the container.
        codec: FFmpeg's name of the encoder.
        options: the encoder's settings.
        time_base: seconds per tick that the container stores; None if it stores any.
    """

    format: str
    codec: str
    options: dict[str, str]
    time_base: Fraction | None = None


_X264 = {"crf": "16", "preset": "veryfast", "rc-lookahead": "10", "threads": _THREADS}
_REPEATABLE = {"mbtree": "0"}
"""Options of x264 for the same bytes every time.

With its macroblock tree, films of 64x64, 96x96 or 320x240 became other bytes in every second run; without the
tree, or without assembly, they did not. They are then 9 % smaller to 45 % larger, at -0.6 to +1.6 dB.
"""
_LARGE = 1 << 20
"""Pixels of a frame from which x264 looks half as far ahead.

Each frame that it holds takes three bytes per pixel: for 1080p 154 MiB in all, and 118 with five frames of
lookahead. Two films of 720p became 5 and 11 % smaller by it, and had 0.3 and 1.2 dB less, of 43 dB.
"""
_VP9 = {
    "crf": "20", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1", "lag-in-frames": "0",
    "threads": _THREADS,
}  # fmt: skip
_FFV1 = {"level": "3", "slicecrc": "1", "threads": _THREADS}

CONTAINERS = {
    ".mp4": Container(format="mp4", codec="libx264", options=_X264),
    ".m4v": Container(format="mp4", codec="libx264", options=_X264),
    ".mov": Container(format="mov", codec="libx264", options=_X264),
    ".webm": Container(format="webm", codec="libvpx-vp9", options=_VP9, time_base=_MILLISECOND),
    ".mkv": Container(format="matroska", codec="ffv1", options=_FFV1, time_base=_MILLISECOND),
}
"""Film formats by suffix."""


def encoding_for(codec: str, colour: Colour, width: int, height: int) -> Encoding:
    """Choose the pixel format and matrix for a film codec and a size."""
    if codec == "ffv1":
        return Encoding("bgr0", "rgb", full=True)
    matrix = colour.matrix if colour.tagged and colour.matrix in {"bt601", "bt709"} else "bt709"
    # H.264 crops 4:2:0 in steps of two pixels; VP9 stores any size.
    whole = codec != "libx264" or (width % 2 == 0 and height % 2 == 0)
    return Encoding("yuv420p" if whole else "yuv444p", matrix, full=False)


def _tags(colour: Colour, encoding: Encoding) -> tuple[int, int]:
    """Return the primaries and transfer to state: the source's, where they say something that stays true."""
    if not colour.tagged or (colour.matrix != encoding.matrix and encoding.matrix != "rgb"):
        colour = BT709
    fallback = 6 if encoding.matrix == "bt601" else 1
    stays = {_UNSPECIFIED, *_HDR_TRANSFERS}.isdisjoint({colour.transfer})
    return (
        colour.primaries if colour.primaries not in {0, _UNSPECIFIED} else fallback,
        colour.transfer if stays and colour.transfer != 0 else fallback,
    )


class Movie:
    """A film file that is being written.

    Attributes:
        has_audio: whether the audio stream found a place in it.
    """

    def __init__(  # noqa: PLR0913  what a file holds, by name
        self,
        path: Path,
        container: Container,
        *,
        size: tuple[int, int],
        time_base: Fraction,
        colour: Colour | None,
        sample_aspect: Fraction,
        audio: AudioInfo | None,
        tags: Mapping[str, str],
        repeatable: bool = False,
    ) -> None:
        self._source_tick = time_base
        self._tick = container.time_base or time_base
        encoding = encoding_for(container.codec, colour or BT709, *size)
        self._convert = FromRgb(encoding)
        self._output = _open(path, container.format, self._tick, audio)
        self._output.metadata.update(tags)
        self._video = _video_stream(self._output, container, encoding, size, self._tick)
        if repeatable and container.codec == "libx264":
            self._video.codec_context.options = {**self._video.codec_context.options, **_REPEATABLE}
        context = self._video.codec_context
        context.color_primaries, context.color_trc = _tags(colour or BT709, encoding)
        context.sample_aspect_ratio = sample_aspect
        self._audio = None
        if audio is not None and can_hold(container.format, audio):
            self._audio = AudioTrack(self._output, audio)
        self.has_audio = self._audio is not None
        self._waiting: deque[AudioPacket] = deque()
        self._held: deque[VideoFrame] = deque()
        """The last two frames; the first one of the film is never held."""
        self._lead = 0
        """How long before it is shown the first frame is decoded, in ticks."""
        self._decoded: int | None = None
        """When the frame that was written last is decoded."""
        self._last: int | None = None
        self._later = 0
        """By how many ticks of the source all is shown later: no film shows what lies before 0."""
        self._durations: set[int] = set()
        """How long frames last, in ticks; two of them at most, which is to say that they differ."""

    def write(self, pixels: np.ndarray, tick: int, duration: int) -> None:
        """Append one picture (uint8 H W 3, contiguous) that is shown at `tick` for `duration` ticks."""
        first = self._last is None
        if first:
            self._later = max(0, -tick)
        frame = self._convert.frame(pixels)
        frame.time_base = self._tick
        frame.pts = self._rescaled(tick + self._later)
        frame.duration = max(1, round(duration * self._source_tick / self._tick))
        self._last = frame.pts
        if len(self._durations) < 2:
            self._durations.add(frame.duration)
        if first:
            rate = (1 / (duration * self._source_tick)).limit_denominator(_LARGEST)
            self._video.codec_context.framerate = max(rate, Fraction(1, _LARGEST))
            self._mux(self._video.encode(frame))
        else:
            self._held.append(frame)
            if len(self._held) > _HELD:
                self._mux(self._video.encode(self._held.popleft()))
        while self._waiting and self._audio is not None:
            self._audio.write(self._waiting.popleft(), later=self._later * self._source_tick)

    def _rescaled(self, tick: int) -> int:
        if self._tick == self._source_tick:
            return tick
        # A coarser clock may round two frames onto one tick; the later is put on the next.
        rounded = round(tick * self._source_tick / self._tick)
        return rounded if self._last is None else max(rounded, self._last + 1)

    def write_audio(self, packet: AudioPacket) -> None:
        """Append one packet; kept back until the first picture has opened the encoder with its rate."""
        if self._audio is None:
            return
        if self._last is None:
            self._waiting.append(packet)
        else:
            self._audio.write(packet, later=self._later * self._source_tick)

    def _mux(self, packets: Sequence[Packet], *, last: bool = False) -> None:
        for packet in packets:
            assert packet.pts is not None and packet.dts is not None, "encoders give both"
            if self._decoded is None:
                self._lead = packet.pts - packet.dts
            elif last and packet is packets[-1] and packet.pts == self._last:
                # MP4 takes the length of a film from times of decoding: let the last lead as the first does.
                packet.dts = max(self._decoded + 1, packet.pts - self._lead)
            self._decoded = packet.dts
        self._output.mux(packets)

    def close(self) -> None:
        """Write what the encoder holds, and the container's index."""
        try:
            if len(self._durations) > 1:
                # MP4 stores durations in the order of decoding: the film's is right if nothing is decoded
                # after the last frame.
                for frame in self._held:
                    frame.pict_type = PictureType.P
            packets = [packet for frame in self._held for packet in self._video.encode(frame)]
            packets += [] if self._last is None else self._video.encode(None)
            self._mux(packets, last=True)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the file without the frames that the encoder holds."""
        self._output.close()
        if self._audio is not None:
            self._audio.close()


def _open(path: Path, format_: str, tick: Fraction, audio: AudioInfo | None) -> OutputContainer:
    options = {"avoid_negative_ts": "disabled"}
    if format_ in {"matroska", "webm"}:
        # Or else the file gets a random number, and is another one each time that it is written.
        options |= {"fflags": "+bitexact"}
    if format_ in {"mp4", "mov"}:
        # The start of a track is stored in the film's clock: give it one that has the ticks of all tracks,
        # so that no timestamp is rounded, and sound keeps in step.
        scale = math.lcm(tick.denominator, 1 if audio is None else audio.time_base.denominator)
        options = {"movie_timescale": str(scale if scale <= _LARGEST else tick.denominator)}
    return av.open(f"file:{path}", "w", format=format_, container_options=options)


def _video_stream(
    output: OutputContainer, container: Container, encoding: Encoding, size: tuple[int, int], tick: Fraction
) -> VideoStream:
    special: dict[str, str] = {}
    if container.codec == "ffv1":
        special = _slices(*size)
    elif container.codec == "libx264" and size[0] * size[1] > _LARGE:
        special = {"rc-lookahead": "5"}
    stream = output.add_stream(container.codec, options=container.options | special)
    assert isinstance(stream, VideoStream)
    context = stream.codec_context
    context.width, context.height = size
    context.pix_fmt = encoding.pixel_format
    context.time_base = tick
    stream.time_base = tick
    context.flags |= Flags.frame_duration
    encoding.tag(context)
    return stream


@dataclass(frozen=True, slots=True, kw_only=True)
class _StillCodec:
    codec: str
    encoding: Encoding
    options: dict[str, str]


STILLS = {
    ".png": _StillCodec(codec="png", encoding=Encoding("rgb24", "rgb", full=True), options={}),
    ".jpg": _StillCodec(
        codec="mjpeg", encoding=Encoding("yuvj444p", "bt601", full=True), options={"qmin": "2", "qmax": "2"}
    ),
    ".webp": _StillCodec(
        codec="libwebp", encoding=Encoding("bgra", "rgb", full=True), options={"lossless": "1"}
    ),
}
"""Image formats by suffix."""
STILLS[".jpeg"] = STILLS[".jpg"]


class Still:
    """An image file that is being written."""

    def __init__(self, path: Path, suffix: str) -> None:
        self._path = path
        self._suffix = suffix

    def write(self, pixels: np.ndarray, tick: int, duration: int) -> None:
        """Write the one picture (uint8 H W 3, contiguous); it has no time."""
        del tick, duration
        self._path.write_bytes(still_bytes(pixels, self._suffix))

    def close(self) -> None:
        """Do nothing: the file was written at once."""

    def abandon(self) -> None:
        """Do nothing, likewise."""


def still_bytes(pixels: np.ndarray, suffix: str) -> bytes:
    """Code one picture (uint8 H W 3, contiguous) as an image of a suffix of `STILLS`."""
    still = STILLS[suffix]
    frame = FromRgb(still.encoding).frame(pixels)
    encoder = cast(VideoCodecContext, CodecContext.create(still.codec, "w"))
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, frame.format.name
    encoder.time_base = Fraction(1, 24)
    encoder.options = dict(still.options)
    frame.pts = 0
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def _slices(width: int, height: int) -> dict[str, str]:
    """Into how many slices FFV1 cuts a frame, to code them in parallel.

    FFmpeg refuses fewer than four of frames beyond 352 x 288, and any number of some that are a pixel wide:
    these are coded by version 1, which knows no slices.
    """
    if min(width, height) == 1:
        return {"level": "1", "slicecrc": "0"}
    small = width <= 352 and height <= 288 and min(width, height) < 64
    return {"slices": "1" if small else "4"}
