"""Opening a video file, choosing its stream and decoding it, with every failure named."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from av.codec import CodecContext
from av.container import InputContainer
from av.error import EOFError as EndOfFile
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tubelet.cores import CODEC_THREADS
from tubelet.video.chroma import decoder_options
from tubelet.video.crop import Crop, container_crop
from tubelet.video.damage import Damage
from tubelet.video.last_packets import LastPackets
from tubelet.video.matroska import missing_matroska_bytes
from tubelet.video.opening import open_container
from tubelet.video.packet_index import missing_packets
from tubelet.video.riff import missing_riff_bytes
from tubelet.video.streams import choose_stream

_SUSPICIOUS = {"err_detect": "crccheck+bitstream+buffer+aggressive"}
"""Let decoders look closely; what they find they flag, and give the frame all the same."""

_FLAGGED_LATE = {"h264"}
"""Codecs whose decoder may hand on a frame before the thread that decodes it has flagged its damage."""

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


@dataclass(slots=True)
class Source:
    """An open file with its video stream and decoder.

    Attributes:
        container: the open file.
        stream: the video stream that is the file's picture.
        decoder: its decoder; not always the stream's own (VP9 with alpha needs another).
        path: its path.
        crop: what the container cuts off the stored frame.
        damage: what went wrong so far.
        last: the last packets that the decoder got, if it works in threads.
    """

    container: InputContainer
    stream: VideoStream
    decoder: VideoCodecContext
    path: Path
    crop: Crop
    damage: Damage
    last: LastPackets

    def frames(self) -> Iterator[VideoFrame]:
        """Yield decoded frames in display order from the current position; note damage and go on."""
        for packet in self.packets():
            self.damage.sent(packet)
            if self._held:
                self.last.add(packet)
            yield from self._received(self._decoded(packet))
        if self._held and self.damage.lacks(self._held):
            yield from self._received(self._decoded_again())
        self.damage.ended()

    def packets(self) -> Iterator[Packet]:
        """Yield what the container holds of the stream, from the current position; an empty one at damage."""
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except FFmpegError as error:
                # What the decoder still holds is good: flush it with an empty packet.
                self.damage.refused(str(error.strerror))
                yield Packet()
                return
            yield packet

    @property
    def _held(self) -> int:
        """How many packets are in the decoder when the last was sent: one for each further thread."""
        return self.decoder.thread_count - 1

    def _received(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        for frame in frames:
            self.damage.received(frame)
            yield frame

    def _decoded(self, packet: Packet) -> list[VideoFrame]:
        try:
            return self.decoder.decode(packet)
        except EndOfFile:
            return []
        except FFmpegError as error:
            if not (_is_end(packet) and self._held):
                self.damage.refused(str(error.strerror))
            return []

    def _decoded_again(self) -> Iterator[VideoFrame]:
        """Decode in one thread what threads still held at the end, without those that have come."""
        packets = list(self.last)
        with opened(self.path, threads=1) as again:
            for number, packet in enumerate([*packets, None]):
                try:
                    frames = again.decoder.decode(packet)
                except FFmpegError as error:
                    if number >= len(packets) - self._held:  # of those before, the threads have said so
                        self.damage.refused(str(error.strerror))
                    continue
                yield from (frame for frame in frames if self.damage.awaits(frame))

    def cut_short(self) -> str:
        """Say what of the file's end is missing, as far as it was read; empty if nothing is.

        Decoders hide a missing end: only the container knows how much there was.
        """
        formats = self.container.format.name.split(",")
        if "mov" in formats and (missing := self._missing_beyond_index()) > 0:
            return f"its index points {missing} bytes beyond its end"
        if "matroska" in formats and (missing := missing_matroska_bytes(self.path)) > 0:
            return f"its last {missing} bytes are missing"
        if "avi" in formats and (missing := missing_riff_bytes(self.path)) > 0:
            return f"its last {missing} bytes are missing"
        return ""

    def unread_packets(self) -> str:
        """Say, once the file was read from its beginning, whether its index lists more; empty if not."""
        return missing_packets(self.stream, self.damage.packets)

    def _missing_beyond_index(self) -> int:
        """Return how many bytes of the last packet that an MP4's index lists are missing."""
        entries = self.stream.index_entries
        if not len(entries):
            return 0
        last = entries[len(entries) - 1]
        return last.pos + last.size - self.path.stat().st_size

    def seek(self, tick: int) -> bool:
        """Go to a key frame at or before `tick` (in the stream's time base), if the file's index is right.

        Gives whether that could be done; where not, nothing more is to be read from here.
        """
        try:
            self.container.seek(tick, stream=self.stream, backward=True)
        except FFmpegError:
            return False
        self.decoder.flush_buffers()
        self.damage.seeked()
        self.last.clear()
        return True


def _is_end(packet: Packet) -> bool:
    """Whether this is no packet of the file, but tells the decoder that there are no more."""
    return packet.size == 0 and packet.dts is None


@contextmanager
def opened(path: Path, threads: int = CODEC_THREADS) -> Iterator[Source]:
    """Open a video file and its decoder; close both at the end, however that comes.

    Args:
        path: the file.
        threads: of the decoder, at most.

    Raises:
        VideoError: there is no such file, or it holds no video that can be decoded; the message says why.
    """
    container = open_container(path)
    try:
        stream = choose_stream(container, path)
        decoder = _decoder(stream, threads)
        decoder.options = decoder.options | decoder_options(path, container, stream)
        context = stream.codec_context
        yield Source(
            container=container,
            stream=stream,
            decoder=decoder,
            path=path,
            crop=container_crop(stream, width=context.width, height=context.height),
            damage=Damage(context.codec.canonical_name, context.extradata or b""),
            last=LastPackets(decoder.thread_count),
        )
    finally:
        container.close()


def has_alpha_layer(stream: VideoStream) -> bool:
    """Whether a VP8 or VP9 stream carries a second, hidden stream with its transparency."""
    return stream.codec_context.name in _ALPHA_DECODERS and stream.metadata.get("alpha_mode") == "1"


def _decoder(stream: VideoStream, threads: int) -> VideoCodecContext:
    decoder = stream.codec_context
    if has_alpha_layer(stream):
        # FFmpeg's own VP8 and VP9 decoders drop the transparency; libvpx's give it.
        own = cast(VideoCodecContext, CodecContext.create(_ALPHA_DECODERS[decoder.name], "r"))
        own.extradata = decoder.extradata
        decoder = own
    decoder.options = decoder.options | _SUSPICIOUS
    if decoder.codec.canonical_name in _FLAGGED_LATE:
        decoder.thread_count = 1
    else:
        decoder.thread_count, decoder.thread_type = threads, "AUTO"
    return decoder
