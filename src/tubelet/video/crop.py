"""The part of a stored frame that its container says to show: MP4's `clap`, Matroska's PixelCrop."""

import io
from dataclasses import dataclass

import av
import numpy as np
from av.error import FFmpegError
from av.video.stream import VideoStream

from tubelet.video.matroska import pixel_crop


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """Rows and columns that are cut off a stored frame, before it is turned."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    def __bool__(self) -> bool:
        return any((self.left, self.right, self.top, self.bottom))

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Return what is left of a frame: columns and rows."""
        return width - self.left - self.right, height - self.top - self.bottom

    def apply(self, plane: np.ndarray) -> np.ndarray:
        """Return a view of an array of rows and columns (and more axes) without what is cut off."""
        rows, columns = plane.shape[:2]
        return plane[self.top : rows - self.bottom, self.left : columns - self.right]


def container_crop(stream: VideoStream, *, width: int, height: int) -> Crop:
    """Return what the container cuts off each frame; nothing if it says nothing that leaves a picture.

    Args:
        stream: of an open file.
        width: columns of a stored frame.
        height: rows of a stored frame.
    """
    left, right, top, bottom = pixel_crop(_as_matroska(stream))
    if left + right >= width or top + bottom >= height:
        return Crop()
    return Crop(left=left, right=right, top=top, bottom=bottom)


def _as_matroska(stream: VideoStream) -> bytes:
    """Store the stream's description as a Matroska file; empty if Matroska cannot hold it.

    PyAV does not show what FFmpeg knows of a crop, whatever container it was read from; FFmpeg's Matroska
    writer does.
    """
    target = io.BytesIO()
    try:
        with av.open(target, "w", format="matroska", container_options={"fflags": "+bitexact"}) as output:
            output.add_stream_from_template(stream, opaque=True)
            output.start_encoding()
    except (FFmpegError, ValueError):
        return b""
    return target.getvalue()
