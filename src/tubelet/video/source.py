"""Opening a video file, choosing its stream and decoding it, with every failure named."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import av
from av.codec import CodecContext
from av.container import InputContainer
from av.error import EOFError as EndOfFile
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tubelet.errors import VideoError
from tubelet.video.chroma import decoder_options
from tubelet.video.matroska import missing_matroska_bytes

_LISTS_OF_FILES = {"concat", "dash", "hls", "sdp", "webm_dash_manifest"}
_RAW_PLANES = {".yuv", ".i420", ".nv12", ".rgb"}
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_ENCRYPTION_MARKS = (b"pssh", b"encv", b"enca")


@dataclass(slots=True)
class Source:
    """An open file with its video stream and decoder.

    Attributes:
        container: the open file.
        stream: its first video stream that is a video and can be decoded.
        decoder: the decoder, threaded; not always the stream's own (VP9 with alpha needs another).
        path: its path.
        failures: what went wrong so far, one entry per packet that could not be decoded.
        packets: how many packets of the stream were read.
    """

    container: InputContainer
    stream: VideoStream
    decoder: VideoCodecContext
    path: Path
    failures: list[str] = field(default_factory=list)
    packets: int = 0

    def frames(self) -> Iterator[VideoFrame]:
        """Yield decoded frames in display order from the current position; note failures and go on."""
        for packet in self._demuxed():
            self.packets += packet.size > 0
            if packet.is_corrupt:
                self.failures.append("a packet is incomplete")
            yield from self._decoded(packet)

    def _demuxed(self) -> Iterator[Packet]:
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except FFmpegError as error:
                # What the decoder still holds is good: flush it with an empty packet.
                self.failures.append(str(error.strerror))
                yield Packet()
                return
            yield packet

    def _decoded(self, packet: Packet) -> list[VideoFrame]:
        try:
            return self.decoder.decode(packet)
        except EndOfFile:
            return []
        except FFmpegError as error:
            self.failures.append(str(error.strerror))
            return []

    def cut_short(self) -> str:
        """Say what of the file's end is missing, once it was read from its beginning; empty if nothing is.

        Decoders hide a missing end: only the container knows how much there was.
        """
        formats = self.container.format.name.split(",")
        if "mov" in formats and self.packets < len(self.stream.index_entries):
            return f"its index lists {len(self.stream.index_entries)} packets, it holds {self.packets}"
        if "matroska" in formats and (missing := missing_matroska_bytes(self.path)) > 0:
            return f"its last {missing} bytes are missing"
        return ""

    def seek(self, tick: int) -> None:
        """Go to a key frame at or before `tick` (in the stream's time base), if the file's index is right.

        Raises:
            VideoError: the file cannot be seeked in.
        """
        try:
            self.container.seek(tick, stream=self.stream, backward=True)
        except FFmpegError as error:
            raise VideoError(f"{self.container.name} cannot be seeked in: {error.strerror}") from error
        self.decoder.flush_buffers()


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a video file and its decoder; close both at the end, however that comes.

    Raises:
        VideoError: there is no such file, or it holds no video that can be decoded; the message says why.
    """
    container = open_container(path)
    try:
        stream = _video_stream(container, path)
        decoder = _decoder(stream)
        decoder.options = decoder.options | decoder_options(path, container, stream)
        yield Source(container, stream, decoder, path)
    finally:
        container.close()


def open_container(path: Path) -> InputContainer:
    """Open a file of any format that holds its own pictures and sound.

    Raises:
        VideoError: there is no such file, or it is no video file; the message says why.
    """
    _check_file(path)
    try:
        # "file:" keeps FFmpeg from reading a name like "concat:a|b" or "http:x" as a protocol.
        container = av.open(
            f"file:{path}", "r", container_options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except (FFmpegError, ValueError) as error:
        raise VideoError(_why_unreadable(path, getattr(error, "strerror", None) or str(error))) from error
    name = container.format.name
    if _LISTS_OF_FILES & set(name.split(",")):
        container.close()
        raise VideoError(
            f"{path} is a list of other files ({name}), which are not opened unasked. Give the video itself."
        )
    if name == "tty":
        container.close()
        raise VideoError(f"{path} is text, not video.")
    return container


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise VideoError(f"{path} is a folder; give one video file inside it.")
    if not path.exists():
        raise VideoError(f"{path}: no such file. Check the spelling and the folder.")
    if not path.is_file():
        raise VideoError(f"{path} is a device or pipe; video is read from files. Store it first.")
    if path.stat().st_size == 0:
        raise VideoError(f"{path} is empty (0 bytes); the copy or recording failed. Fetch it again.")
    if path.suffix.lower() in _RAW_PLANES:
        raise VideoError(
            f"{path}: raw planes have no header, so size, format and rate are unknown. Convert first: "
            "ffmpeg -f rawvideo -pixel_format yuv420p -video_size WxH -framerate 25 "
            f"-i {path.name} -c:v ffv1 out.mkv"
        )


def _why_unreadable(path: Path, reason: str) -> str:
    if is_encrypted(path):
        return f"{path} is encrypted (DRM); it can only be read with its key. Decrypt it first."
    return f"{path} cannot be read as video: {reason}. The file is damaged, or no video."


def is_encrypted(path: Path) -> bool:
    """Whether the file's first mebibyte carries the marks of MP4 common encryption."""
    with path.open("rb") as file:
        head = file.read(1 << 20)
    return b"ftyp" in head[:64] and any(mark in head for mark in _ENCRYPTION_MARKS)


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    if not container.streams.video:
        kinds = sorted({stream.type for stream in container.streams}) or ["nothing"]
        raise VideoError(
            f"{path} has no video stream (it holds: {', '.join(kinds)}). Give a file with pictures."
        )
    moving = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
    if not moving:
        raise VideoError(f"{path} has no video stream, only cover art. Give a file with moving pictures.")
    for stream in moving:
        if stream.codec_context is not None:
            return stream
    raise VideoError(
        f"{path}: no decoder for its video stream (protected, or a codec that this FFmpeg lacks). "
        "Convert it to H.264, HEVC, VP9 or AV1 first."
    )


def has_alpha_layer(stream: VideoStream) -> bool:
    """Whether a VP8 or VP9 stream carries a second, hidden stream with its transparency."""
    return stream.codec_context.name in _ALPHA_DECODERS and stream.metadata.get("alpha_mode") == "1"


def _decoder(stream: VideoStream) -> VideoCodecContext:
    decoder = stream.codec_context
    if has_alpha_layer(stream):
        # FFmpeg's own VP8 and VP9 decoders drop the transparency; libvpx's give it.
        own = cast(VideoCodecContext, CodecContext.create(_ALPHA_DECODERS[decoder.name], "r"))
        own.extradata = decoder.extradata
        decoder = own
    decoder.thread_type = "AUTO"
    return decoder
