"""The files of prepared crops, of which few are open at a time, however many there are."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import NamedTuple, Protocol, final, runtime_checkable

import numpy as np

from tubelet.data.compressed_crops import CompressedBlock
from tubelet.errors import VideoError

_OPEN = 64
"""Files that are open at a time, each of one clip; systems let a process have from 256 to many thousands."""

_AGAIN = "Prepare the crops again, with --force."


class CropFile(NamedTuple):
    """The file with the crops of a clip, and what the index says of them: crops, frames, rows, columns, 3."""

    path: Path
    shape: tuple[int, ...]


@runtime_checkable
class Blocks(Protocol):
    """The crops of clips, by the clip's number."""

    @property
    def nbytes(self) -> int:
        """Of all crops; of files without the headers of arrays."""
        ...

    def __getitem__(self, number: int, /) -> np.ndarray | CompressedBlock:
        """The crops of a clip."""
        ...


@final
class CropFiles:
    """The crops of clips by number, mapped; threads may ask for them.

    Args:
        files: one for each clip.
        compressed: whether they are compressed.

    Raises:
        VideoError: one is missing or damaged.
    """

    def __init__(self, files: Sequence[CropFile], *, compressed: bool) -> None:
        self._files = files
        self._compressed = compressed
        self._open: OrderedDict[int, np.ndarray | CompressedBlock] = OrderedDict()
        self._lock = Lock()
        self._nbytes = sum(self[number].nbytes for number in range(len(files)))

    def __reduce__(self) -> tuple["partial[CropFiles]", tuple[()]]:
        """Another process opens them itself."""
        return partial(CropFiles, self._files, compressed=self._compressed), ()

    @property
    def nbytes(self) -> int:
        """Of all crops on disk; of arrays without the headers of their files."""
        return self._nbytes

    def __getitem__(self, number: int, /) -> np.ndarray | CompressedBlock:
        with self._lock:
            found = self._open.pop(number, None)
            self._open[number] = _opened(self._files[number], self._compressed) if found is None else found
            if len(self._open) > _OPEN:
                self._open.popitem(last=False)
            return self._open[number]


def _opened(file: CropFile, compressed: bool) -> np.ndarray | CompressedBlock:  # noqa: FBT001  of a folder
    path, shape = file
    if not path.is_file():
        raise VideoError(f"{path} is missing, and the index lists {shape[0]} crops in it. {_AGAIN}")
    if compressed:
        return CompressedBlock(path, shape)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise VideoError(f"{path} is not an array that can be read: {error}. {_AGAIN}") from error
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.shape != shape:
        what = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "an archive"
        raise VideoError(f"{path} holds {what}; the index says uint8 {shape}. {_AGAIN}")
    return array
