"""Crops of a clip compressed without loss, frame by frame, so that a window decodes its own frames alone.

A frame is three planes: green, and red and blue less green. Of each sample its left neighbour is taken away,
then the one above (modulo 256), and DEFLATE (RFC 1950) codes what is left, with a checksum.
docs/decisions/0062 has what was measured.

    magic (8 bytes); crops, frames, rows, columns (4 bytes each); crops x frames + 1 offsets (8 bytes each);
    frames

Numbers are little-endian; offsets count from the beginning of the file.
"""

import mmap
import zlib
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, final

import numpy as np
from jaxtyping import UInt8

from tubelet.errors import VideoError
from tubelet.types import Frames

SUFFIX = ".crops"
"""Of the file that holds the crops of a clip."""

MAGIC = b"TBCROPS1"

_LEVEL = 1
"""Of DEFLATE: higher ones save 3 % and take three times as long."""

_HEAD = len(MAGIC) + 4 * 4

Block = UInt8[np.ndarray, "n t H W 3"]
"""The crops of a clip."""

_Planes = UInt8[np.ndarray, "3 H W"]


def write_block(file: BinaryIO, block: Block) -> None:
    """Write the crops of a clip.

    Args:
        file: empty, open for writing.
        block: the crops.
    """
    count = block.shape[0] * block.shape[1]
    file.write(MAGIC + np.array(block.shape[:4], "<u4").tobytes())
    file.write(bytes(8 * (count + 1)))
    offsets = [file.tell()]
    for crop in block:
        for frame in crop:
            file.write(zlib.compress(_to_planes(frame).tobytes(), _LEVEL))
            offsets.append(file.tell())
    file.seek(_HEAD)
    file.write(np.array(offsets, "<u8").tobytes())


@final
class CompressedBlock:
    """The crops of one clip, mapped; a frame is decoded when it is asked for.

    Args:
        path: of the file.
        shape: that the index says: crops, frames, rows, columns and 3.

    Attributes:
        nbytes: of the file.

    Raises:
        VideoError: it is another kind of file, of another shape, or cut off.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self._path = path
        self._shape = shape
        try:
            with path.open("rb") as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise self._damaged(f"it cannot be mapped: {error}") from error
        self.nbytes = len(self._data)
        count = shape[0] * shape[1]
        head = MAGIC + np.array(shape[:4], "<u4").tobytes()
        begin = _HEAD + 8 * (count + 1)
        if self._data[:_HEAD] != head or self.nbytes < begin:
            raise self._damaged(f"it holds no crops of {shape}")
        self._offsets = np.frombuffer(self._data[_HEAD:begin], "<u8").astype(np.int64)
        if (
            self._offsets[0] != begin
            or self._offsets[-1] != self.nbytes
            or (np.diff(self._offsets) < 1).any()
        ):
            raise self._damaged(f"it is {self.nbytes} bytes long, and its frames end elsewhere")

    def __len__(self) -> int:
        return self._shape[0]

    def frames(self, crop: int, first: int, count: int) -> Frames:
        """Frames of a crop.

        Args:
            crop: from 0.
            first: of the frames, from 0.
            count: of the frames.

        Raises:
            VideoError: they are damaged.
        """
        begin = crop * self._shape[1] + first
        bounds = self._offsets[begin : begin + count + 1].tolist()
        return np.stack([self._frame(*each) for each in pairwise(bounds)])

    def _frame(self, begin: int, end: int) -> UInt8[np.ndarray, "H W 3"]:
        rows, columns = self._shape[2:4]
        size = 3 * rows * columns
        decoder = zlib.decompressobj()
        try:
            data = decoder.decompress(self._data[begin:end], size)
        except zlib.error as error:
            raise self._damaged(f"a frame is not what was written: {error}") from error
        # Asked for one byte more, the decoder sees the checksum, and whether there is more.
        if len(data) != size or decoder.decompress(decoder.unconsumed_tail, 1) or not decoder.eof:
            raise self._damaged("a frame has another size")
        return _from_planes(np.frombuffer(data, np.uint8).reshape(3, rows, columns))

    def _damaged(self, reason: str) -> VideoError:
        return VideoError(f"{self._path} is damaged: {reason}. Prepare the crops again, with --force.")


def _to_planes(frame: UInt8[np.ndarray, "H W 3"]) -> _Planes:
    red, green, blue = (frame[..., channel] for channel in range(3))
    planes = np.stack([green, red - green, blue - green])
    planes[:, :, 1:] = planes[:, :, 1:] - planes[:, :, :-1]
    planes[:, 1:] = planes[:, 1:] - planes[:, :-1]
    return planes


def _from_planes(planes: _Planes) -> UInt8[np.ndarray, "H W 3"]:
    """Undo `_to_planes`."""
    sums = np.cumsum(np.cumsum(planes, axis=1, dtype=np.uint8), axis=2, dtype=np.uint8)
    green, red, blue = sums
    return np.stack([red + green, green, blue + green], axis=-1)
