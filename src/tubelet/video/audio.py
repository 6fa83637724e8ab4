"""Audio packets, taken from one file and put into another untouched."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import get_args

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet, PacketSideData, PktSideDataT

from tubelet.errors import VideoError
from tubelet.video.info import AudioInfo
from tubelet.video.opening import open_container

_SKIP_SAMPLES = "skip_samples"
_SKIP_SAMPLES_TYPE = get_args(PktSideDataT).index(_SKIP_SAMPLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioPacket:
    """One piece of coded audio.

    Attributes:
        data: the coded bytes.
        pts: when it is heard, in ticks of `AudioInfo.time_base`.
        dts: when it is decoded, in the same ticks.
        duration: in the same ticks; 0 if unknown.
        keyframe: whether decoding may start here.
        skip_samples: FFmpeg's ten bytes that say how many samples to drop at its start and end; mostly empty.
    """

    data: bytes
    pts: int
    dts: int
    duration: int
    keyframe: bool = True
    skip_samples: bytes = b""


def read_audio(source: Path | str) -> Iterator[AudioPacket]:
    """Yield the packets of a file's first audio stream, untouched and in file order; none if it has none.

    Packets without a timestamp continue the one before. A damaged end is where the packets end.

    Raises:
        VideoError: the file cannot be opened.
    """
    path = Path(source)
    if path.suffix.lower() == ".npy":
        return
    container = open_container(path)
    try:
        stream = _audio_stream(container)
        if stream is not None:
            yield from _packets(container, stream)
    finally:
        container.close()


def _packets(container: InputContainer, stream: AudioStream) -> Iterator[AudioPacket]:
    follows = 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:
            return
        if packet is None:
            return
        if packet.size == 0:
            continue
        known = packet.pts if packet.pts is not None else packet.dts
        pts = follows if known is None else known
        duration = packet.duration or 0
        follows = pts + duration
        skip = bytes(packet.get_sidedata(_SKIP_SAMPLES)) if packet.has_sidedata(_SKIP_SAMPLES) else b""
        yield AudioPacket(
            data=bytes(packet),
            pts=pts,
            dts=pts if packet.dts is None else packet.dts,
            duration=duration,
            keyframe=packet.is_keyframe,
            skip_samples=skip,
        )


def _audio_stream(container: InputContainer) -> AudioStream | None:
    """Return the first stream that has a decoder and a sane description."""
    for stream in container.streams.audio:
        context = stream.codec_context
        if (
            context is not None
            and context.sample_rate > 0
            and context.layout.nb_channels > 0
            and stream.time_base
        ):
            return stream
    return None


def describe_audio(path: Path, container: InputContainer) -> AudioInfo | None:
    """Describe the first audio stream of an open file; None if there is none that can be stored again."""
    stream = _audio_stream(container)
    if stream is None:
        return None
    header = _header(path)
    if header is None:
        return None
    context = stream.codec_context
    return AudioInfo(
        codec=context.codec.canonical_name,
        sample_rate=context.sample_rate,
        layout=context.layout.name,
        channels=context.layout.nb_channels,
        time_base=stream.time_base or Fraction(1, context.sample_rate),
        extradata=context.extradata or b"",
        header=header,
    )


def _header(path: Path) -> bytes | None:
    """Store the stream's description and first packet as a Matroska file; None if Matroska cannot hold it."""
    # A container of its own, so that the position in the caller's stays where it is.
    with open_container(path) as container:
        stream = _audio_stream(container)
        assert stream is not None, "the caller found one in the same file"
        try:
            packet = next(each for each in container.demux(stream) if each.size)
            target = io.BytesIO()
            with av.open(target, "w", format="matroska", container_options={"fflags": "+bitexact"}) as output:
                packet.stream = output.add_stream_from_template(stream, opaque=True)
                output.mux(packet)
            return target.getvalue()
        except (FFmpegError, ValueError, StopIteration):
            return None


class AudioTrack:
    """An audio stream of a file that is being written.

    Raises:
        VideoError: `info` is damaged.
        ValueError: the container cannot hold the codec.
    """

    def __init__(self, output: OutputContainer, info: AudioInfo) -> None:
        self._time_base = info.time_base
        self._output = output
        try:
            # The template must stay open as long as the stream that was made from it.
            self._template = av.open(io.BytesIO(info.header), "r", format="matroska")
            template = self._template.streams.audio[0]
        except (FFmpegError, IndexError) as error:
            raise VideoError(
                "the description of the audio stream is damaged; write the video without audio."
            ) from error
        self._stream = output.add_stream_from_template(template, opaque=True)
        self._stream.time_base = info.time_base

    def sample(self) -> AudioPacket:
        """Return the first packet of the stream that is described."""
        return next(_packets(self._template, self._template.streams.audio[0]))

    def write(self, packet: AudioPacket) -> None:
        """Append one packet."""
        coded = Packet(packet.data)
        coded.pts, coded.dts, coded.duration = packet.pts, packet.dts, packet.duration
        coded.time_base = self._time_base
        coded.is_keyframe = packet.keyframe
        if packet.skip_samples:
            side_data = PacketSideData(_SKIP_SAMPLES_TYPE, len(packet.skip_samples))  # pyright: ignore[reportCallIssue]
            side_data.update(packet.skip_samples)
            coded.set_sidedata(side_data)
        coded.stream = self._stream
        self._output.mux(coded)

    def close(self) -> None:
        """Let go of the template."""
        self._template.close()


def can_hold(format_: str, info: AudioInfo) -> bool:
    """Whether a container format takes this audio, found by writing a file with its first packet alone.

    Raises:
        VideoError: `info` is damaged.
    """
    try:
        with av.open(io.BytesIO(), "w", format=format_) as output:
            track = AudioTrack(output, info)
            track.write(track.sample())
            track.close()
    except (FFmpegError, ValueError, StopIteration):
        return False
    return True
