"""Opening a file that may be video: a path is a file and nothing else, and a file opens no other."""

import stat
from functools import cache
from pathlib import Path

import av
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError

from tubelet.errors import VideoError
from tubelet.video.riff import is_animated_webp

_OPENING_OTHERS = {
    *("concat", "dash", "hls", "imf", "mlv", "rtp", "rtsp", "sap", "sdp", "vobsub", "webm_dash_manifest"),
    *("lavfi", "alsa", "fbdev", "kmsgrab", "oss", "video4linux2,v4l2", "x11grab"),
}
"""Formats of FFmpeg that open other files, devices or the network, as a file or its name says."""

_RAW_PLANES = {".yuv", ".i420", ".nv12", ".rgb"}
NO_ANIMATED_WEBP = (
    "{path} is an animated WebP, for which this FFmpeg has no decoder. Make a GIF or a video of it first, "
    "for example with Pillow: Image.open(name).save('out.gif', save_all=True)."
)
_ARCHIVES = {
    "a tar archive": (257, b"ustar"),
    "a zip archive": (0, b"PK\x03\x04"),
    "compressed by gzip": (0, b"\x1f\x8b"),
    "a 7z archive": (0, b"7z\xbc\xaf\x27\x1c"),
}
"""Where files of many files have their mark. FFmpeg may find the frames of one, and lose the others."""
_SEGMENTS = (b"styp", b"moof", b"sidx", b"emsg", b"prft")
"""With what parts of a fragmented MP4 begin after the first one."""

_ENCRYPTION_MARKS = (b"pssh", b"encv", b"enca")


def open_container(path: Path, *, edits: bool = True) -> InputContainer:
    """Open a file of any format that holds its own pictures and sound.

    Args:
        path: the file.
        edits: whether the edit list of an MP4 or MOV says what of it is shown, and when.

    Raises:
        VideoError: there is no such file, or it is not a video file; the message says why.
    """
    check_file(path)
    _check_no_archive(path)
    # "file:" keeps FFmpeg from reading a name like "concat:a|b" or "http:x" as a protocol, and the pattern
    # type from reading "a%d.png" as "a0.png, a1.png, …".
    options = {"protocol_whitelist": "file", "format_whitelist": _formats(), "pattern_type": "none"}
    if not edits:
        options["ignore_editlist"] = "1"
    try:
        container = av.open(f"file:{path}", "r", container_options=options, metadata_errors="replace")
    except ArgumentError as error:
        raise VideoError(
            f"{path} is a list of other files, a stream's description, or a file that needs others beside "
            "it, which are not opened unasked. Give the video itself."
        ) from error
    except (FFmpegError, ValueError) as error:
        raise VideoError(_why_unreadable(path, getattr(error, "strerror", None) or str(error))) from error
    if container.format.name == "tty":
        container.close()
        raise VideoError(f"{path} is text, not video.")
    return container


@cache
def _formats() -> str:
    return ",".join(sorted(av.formats_available - _OPENING_OTHERS))


def check_file(path: Path) -> None:
    """See that there is a file that can be read as video.

    Raises:
        VideoError: there is none, or it is not a regular file, empty, may not be read, or has no header.
    """
    try:
        mode, size = path.stat().st_mode, path.stat().st_size
        if stat.S_ISREG(mode):
            path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        if path.is_symlink():
            raise VideoError(f"{path} is a link to {path.readlink()}, which is not there.") from error
        if str(path) == "-":
            raise VideoError("- is standard input; video is read from files. Store it first.") from error
        raise VideoError(f"{path}: no such file. Check the spelling and the folder.") from error
    except OSError as error:
        raise VideoError(f"{path} cannot be read: {error.strerror}.") from error
    if stat.S_ISDIR(mode):
        raise VideoError(f"{path} is a folder; give one video file inside it.")
    if not stat.S_ISREG(mode):
        raise VideoError(f"{path} is a device or pipe; video is read from files. Store it first.")
    if size == 0:
        raise VideoError(f"{path} is empty (0 bytes); the copy or recording failed. Fetch it again.")
    if path.suffix.lower() in _RAW_PLANES:
        raise VideoError(
            f"{path}: raw planes have no header, so size, format and rate are unknown. Convert first: "
            "ffmpeg -f rawvideo -pixel_format yuv420p -video_size WxH -framerate 25 "
            f"-i {path.name} -c:v ffv1 out.mkv"
        )


def _check_no_archive(path: Path) -> None:
    """Raise where a file holds files.

    Raises:
        VideoError: it does, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise VideoError(f"{path} cannot be read: {error.strerror}.") from error
    for what, (place, mark) in _ARCHIVES.items():
        if head[place : place + len(mark)] == mark:
            raise VideoError(f"{path} is {what}, not a video. Take out what it holds, and give that.")


def _why_unreadable(path: Path, reason: str) -> str:
    if is_animated_webp(path):
        return NO_ANIMATED_WEBP.format(path=path)
    if is_encrypted(path):
        return f"{path} is encrypted (DRM); it can only be read with its key. Decrypt it first."
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"\x93TUB"):
        return f"{path} is a .tube file already; `tubelet decode` makes a video of it."
    if head[4:] in _SEGMENTS:
        return (
            f"{path} is one segment of a stream, whose beginning is in another file. Join them first: "
            f"cat init.mp4 {path.name} > whole.mp4"
        )
    return f"{path} cannot be read as video: {reason}. The file is damaged, or no video."


def is_encrypted(path: Path) -> bool:
    """Whether the file's first mebibyte carries the marks of MP4 common encryption."""
    with path.open("rb") as file:
        head = file.read(1 << 20)
    return b"ftyp" in head[:64] and any(mark in head for mark in _ENCRYPTION_MARKS)
