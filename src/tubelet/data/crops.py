"""A folder of prepared crops: files that are mapped, not loaded, and an index of where each crop is from."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, final

from tubelet.data.compressed_crops import SUFFIX, CompressedBlock
from tubelet.data.crop_files import Blocks, CropFile, CropFiles
from tubelet.errors import OptionError, VideoError
from tubelet.json_text import read_json
from tubelet.types import Frames

FORMAT = 1
"""Version of the format of folders of arrays; it grows when an older reader would misread the folder."""

COMPRESSED = 2
"""The same of folders whose crops are compressed (`tubelet.data.compressed_crops`)."""

INDEX = "index.json"
"""Name of the file that makes a folder of crops whole; it is written last."""

SETTINGS = ("crop", "frames", "per_clip", "seed")
"""What the index states of the preparation as a whole."""

_LARGEST = 2**32
"""No number of an index is larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Where a crop was cut out of its clip.

    Attributes:
        first: index of its first frame in the clip.
        stride: frames of the clip per frame of the crop.
        scale: by which the clip's frames were shrunk before the cut; 1 is none.
        row: of its upper left corner, in pixels of the shrunk frame.
        column: the same.
    """

    first: int
    stride: int
    scale: float
    row: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """What was cut out of one file.

    Attributes:
        name: of the file, without its folder.
        size: of the file, in bytes.
        cuts: one for each crop; none if the clip was skipped.
        skipped: why it was skipped; empty if it was not.
        damaged: whether it was skipped because it is damaged or cannot be read; where it has cuts, whether
            its end is missing.
    """

    name: str
    size: int
    cuts: tuple[Cut, ...] = ()
    skipped: str = ""
    damaged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What `index.json` says.

    Attributes:
        settings: of the preparation, by the names in `SETTINGS`.
        clips: all clips in order, with those that were skipped. The crops of clip number n are in the file
            that `shard_name` gives for n.
        compressed: whether crops are compressed.
    """

    settings: dict[str, int]
    clips: tuple[Clip, ...]
    compressed: bool = False


@final
class Crops:
    """The crops of a folder, clip after clip; a sequence of arrays, read-only where they are not compressed.

    Attributes:
        frames: of every crop.
        side: rows and columns of every crop.
        clips: those that gave a crop.
        skipped: those that gave none.
        settings: of the preparation, by the names in `SETTINGS`.
        compressed: whether crops are compressed on disk, so that each is a new array.
    """

    def __init__(self, index: Index, files: Blocks) -> None:
        self.settings = index.settings
        self.compressed = index.compressed
        self.frames = index.settings["frames"]
        self.side = index.settings["crop"]
        self.clips = tuple(clip for clip in index.clips if clip.cuts)
        self.skipped = tuple(clip for clip in index.clips if not clip.cuts)
        self._files = files
        self._starts = [0, *accumulate(len(clip.cuts) for clip in self.clips)]

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: int) -> Frames:
        return self.window(index, 0, self.frames)

    def window(self, index: int, first: int, frames: int) -> Frames:
        """Some frames of a crop; where crops are compressed, only these are decoded.

        Args:
            index: of the crop, from 0.
            first: of the frames, from 0.
            frames: how many.

        Raises:
            IndexError: there is no such crop, or it has not these frames.
            VideoError: they are damaged.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"crop {index} of {len(self)}; crops are counted from 0.")
        if not 0 <= first < first + frames <= self.frames:
            raise IndexError(f"frames {first} to {first + frames} of {self.frames}; give some of these.")
        clip = self.clip_of(index)
        shard, own = self._files[clip], index - self._starts[clip]
        if isinstance(shard, CompressedBlock):
            return shard.frames(own, first, frames)
        return shard[own, first : first + frames]

    def clip_of(self, index: int) -> int:
        """The position in `clips` of the clip that a crop is from."""
        return bisect_right(self._starts, index) - 1

    def of_clip(self, clip: int) -> range:
        """The indices of the crops of a clip, given by its position in `clips`."""
        return range(self._starts[clip], self._starts[clip + 1])

    @property
    def size(self) -> int:
        """Bytes of all crops on disk; of arrays without the headers of their files."""
        return self._files.nbytes


def shard_name(number: int, *, compressed: bool = False) -> str:
    """The name of the file with the crops of clip `number`, counted with the clips that were skipped."""
    return f"crops-{number:05d}{SUFFIX if compressed else '.npy'}"


def open_crops(folder: Path) -> Crops:
    """Open a folder that `tubelet prepare` has made; files are mapped when needed, and nothing is loaded yet.

    Raises:
        OptionError: the folder holds no finished preparation.
        VideoError: a file of it is damaged or missing.
    """
    index = read_index(folder)
    side, frames = index.settings["crop"], index.settings["frames"]
    files = [
        CropFile(
            folder / shard_name(number, compressed=index.compressed),
            (len(clip.cuts), frames, side, side, 3),
        )
        for number, clip in enumerate(index.clips)
        if clip.cuts
    ]
    return Crops(index, CropFiles(files, compressed=index.compressed))


def read_index(folder: Path) -> Index:
    """Read and check the index of a folder of crops.

    Raises:
        OptionError: the folder holds no finished preparation.
        VideoError: the index is damaged, or of a newer format.
    """
    path = folder / INDEX
    if not path.is_file():
        raise OptionError(
            f"{folder} holds no {INDEX}, so it is not a finished preparation. Make one with "
            f"`tubelet prepare VIDEOS -o {folder}`; the same command goes on where one was interrupted."
        )
    try:
        content = read_json(path)
        settings = settings_from_json(content)
        clips = tuple(clip_from_json(each, settings) for each in content["clips"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise VideoError(f"{path} is damaged ({reason}). Prepare the crops again, with --force.") from error
    if not any(clip.cuts for clip in clips):
        raise VideoError(f"{path} lists 0 crops; at least one is needed. Prepare them again, with --force.")
    return Index(settings=settings, clips=clips, compressed=content["format"] == COMPRESSED)


def settings_from_json(content: dict[str, Any]) -> dict[str, int]:
    """The settings of an index.

    Raises:
        KeyError, TypeError, ValueError: something is missing or has no meaning.
    """
    if content["format"] not in (FORMAT, COMPRESSED):
        known = f"{FORMAT} and {COMPRESSED}"
        raise ValueError(f"its format is {content['format']!r:.80} and this program reads {known}")
    given = content["settings"]
    least = {"crop": 1, "frames": 1, "per_clip": 1, "seed": 0}
    return {name: _whole(given[name], name, least=least[name]) for name in SETTINGS}


def clip_from_json(content: dict[str, Any], settings: dict[str, int]) -> Clip:
    """The record of a clip.

    Raises:
        KeyError, TypeError, ValueError: something is missing or has no meaning.
    """
    name, skipped = content["name"], content["skipped"]
    if not isinstance(name, str) or not isinstance(skipped, str):
        raise TypeError(f"name is {name!r:.80} and skipped is {skipped!r:.80}; both are texts")
    cuts = tuple(_cut_from_json(each) for each in content["cuts"])
    if len(cuts) > settings["per_clip"] or bool(cuts) == bool(skipped):
        raise ValueError(
            f"{name:.80} has {len(cuts)} crops of at most {settings['per_clip']}, and was skipped for "
            f"{skipped!r:.80}"
        )
    return Clip(
        name=name,
        size=_whole(content["size"], "size"),
        cuts=cuts,
        skipped=skipped,
        # Indexes of before do not say it.
        damaged=content.get("damaged") is True,
    )


def _cut_from_json(content: dict[str, Any]) -> Cut:
    scale = content["scale"]
    if not isinstance(scale, int | float) or isinstance(scale, bool) or not 1 <= scale <= _LARGEST:
        raise ValueError(f"scale is {scale!r:.80}; it is a number from 1 on")
    return Cut(
        first=_whole(content["first"], "first"),
        stride=_whole(content["stride"], "stride", least=1),
        scale=float(scale),
        row=_whole(content["row"], "row"),
        column=_whole(content["column"], "column"),
    )


def _whole(value: object, name: str, *, least: int = 0) -> int:
    if type(value) is not int or not least <= value <= _LARGEST:
        raise ValueError(f"{name} is {value!r:.80}; it is a whole number from {least} to {_LARGEST}")
    return value
