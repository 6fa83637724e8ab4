"""Audio packets, taken from one file and put into another untouched."""

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, get_args

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet, PacketSideData, PktSideDataT

from tubelet.errors import DamageWarning, LossWarning, VideoError
from tubelet.video.clock import Clock
from tubelet.video.info import AudioInfo
from tubelet.video.opening import open_container
from tubelet.video.packet_index import missing_packets

_SKIP_SAMPLES = "skip_samples"
_SKIP_SAMPLES_TYPE = get_args(PktSideDataT).index(_SKIP_SAMPLES)

_LONGEST = 60
"""Seconds that a packet may last; honest ones last less than ten, most some hundredths."""

_FURTHEST = 1 << 31
"""Seconds from 0 to the times of a packet that is written: some 68 years."""

_MOST_BYTES = 1 << 25
"""Bytes of a packet; a second of uncompressed sound of eight channels takes a fifth."""

_AS_IT_SAYS = Fraction(0)

_ADTS_BYTES = 7
"""Bytes of a header of AAC in MPEG-TS; two more with a checksum."""


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


class CodedPacket(NamedTuple):
    """A packet as a file has it: its times may be missing, or make no sense."""

    pts: int | None
    dts: int | None
    duration: int
    data: bytes
    keyframe: bool
    skip_samples: bytes

    @classmethod
    def of(cls, packet: Packet) -> "CodedPacket":
        """Take what there is of one of PyAV's packets."""
        return cls(
            pts=packet.dts if packet.pts is None else packet.pts,
            dts=packet.dts,
            duration=packet.duration or 0,
            data=bytes(packet),
            keyframe=packet.is_keyframe,
            skip_samples=bytes(packet.get_sidedata(_SKIP_SAMPLES))
            if packet.has_sidedata(_SKIP_SAMPLES)
            else b"",
        )

    def at(self, tick: int, *, after: int | None) -> AudioPacket:
        """The packet at a time that fits, decoded no earlier than the one before and no later than it sounds.

        Args:
            tick: when it is heard.
            after: when the packet before is decoded; none for the first.
        """
        told = tick == self.pts and self.dts is not None and self.dts <= tick
        decoded = self.dts if told and self.dts is not None else tick
        return AudioPacket(
            data=self.data,
            pts=tick,
            dts=decoded if after is None or decoded >= after else tick,
            duration=self.duration,
            keyframe=self.keyframe,
            skip_samples=self.skip_samples,
        )


def read_audio(source: Path | str) -> Iterator[AudioPacket]:
    """Yield the packets of a file's first audio stream, untouched and in file order; none if it has none.

    Times never go back: one that does not fit its neighbours is repaired, and where the file's clock starts
    again, what follows is moved behind what was there. Packets without a time continue the one before. A
    duration that no packet has counts as unknown.

    Raises:
        VideoError: the file cannot be opened.

    Warns:
        LossWarning: times were repaired.
        DamageWarning: the sound ends before its time, or packets are too large to be sound.
    """
    path = Path(source)
    if path.suffix.lower() == ".npy":
        return
    container = open_container(path)
    try:
        stream = _audio_stream(container)
        if stream is not None:
            yield from _Sound(path, container, stream).packets()
    finally:
        container.close()


class _Sound:
    """The state of reading one audio stream, and what there is to warn of."""

    def __init__(self, path: Path, container: InputContainer, stream: AudioStream) -> None:
        self._path = path
        self._container = container
        self._stream = stream
        self._time_base = stream.time_base or Fraction(1, stream.codec_context.sample_rate)
        self._count = self._read = self._repaired = 0
        self._damage: dict[str, int] = {}

    def packets(self) -> Iterator[AudioPacket]:
        """Yield the packets, each at a time that fits; then warn."""
        after: int | None = None
        for coded, tick in Clock(time_base=self._time_base, rate=None, apart=0).stamp(self._coded()):
            packet = coded.at(tick, after=after)
            after = packet.dts
            self._count += 1
            self._repaired += coded.pts not in (None, tick)
            yield packet
        self._warn()

    def _coded(self) -> Iterator[CodedPacket]:
        """Yield what the file has, without what cannot be sound."""
        packets = self._container.demux(self._stream)
        longest = _LONGEST / self._time_base
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError as error:
                self._note(f"cannot be read further ({error.strerror})")
                return
            if packet is None:
                return
            self._read += packet.size > 0
            if packet.size > _MOST_BYTES:
                self._note(f"packets of more than {_MOST_BYTES} bytes were left out")
            elif packet.size:
                coded = CodedPacket.of(packet)
                yield coded if 0 <= coded.duration <= longest else coded._replace(duration=0)

    def _note(self, damage: str) -> None:
        self._damage[damage] = self._damage.get(damage, 0) + 1

    def _warn(self) -> None:
        if self._repaired:
            warnings.warn(
                f"{self._path}: {self._repaired} of {self._count} times of its sound did not fit; repaired.",
                LossWarning,
                stacklevel=3,
            )
        if missing := missing_packets(self._stream, self._read):
            self._note(missing)
        if self._damage:
            said = "; ".join(
                f"{what}{f', {times} times' * (times > 1)}" for what, times in self._damage.items()
            )
            warnings.warn(
                f"the sound of {self._path} is damaged: {said}. {self._count} packets were read.",
                DamageWarning,
                stacklevel=3,
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
        context = template.codec_context
        self._described = context.codec.canonical_name == "aac" and bool(context.extradata)

    def sample(self) -> AudioPacket:
        """Return the first packet of the stream that is described."""
        packets = self._template.demux(self._template.streams.audio[0])
        coded = next(CodedPacket.of(packet) for packet in packets if packet.size)
        return coded.at(coded.pts or 0, after=None)

    def write(self, packet: AudioPacket, *, later: Fraction = _AS_IT_SAYS) -> None:
        """Append one packet, `later` seconds later than it says.

        Raises:
            ValueError: its times are further from 0 than any film is long; FFmpeg would wrap them.
        """
        shift = round(later / self._time_base)
        furthest = max(map(abs, (packet.pts, packet.dts, packet.duration, packet.pts + shift)))
        if furthest * self._time_base > _FURTHEST:
            raise ValueError(f"its times lie within {_FURTHEST} seconds of 0")
        coded = Packet(_without_adts(packet.data) if self._described else packet.data)
        coded.pts, coded.dts, coded.duration = packet.pts + shift, packet.dts + shift, packet.duration
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


def _without_adts(data: bytes) -> bytes:
    """Take the header off a packet of AAC as MPEG-TS has it; others are returned as they are.

    A film's description of the stream says the same. FFmpeg's Matroska writer takes such packets only where
    there is no description: it writes a second table of tracks over its clusters.
    """
    if len(data) < _ADTS_BYTES or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return data
    length = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
    if length != len(data) or data[6] & 3:
        return data
    return data[_ADTS_BYTES if data[1] & 1 else _ADTS_BYTES + 2 :]


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
