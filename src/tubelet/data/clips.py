"""Finding the clips of a folder, and sampling runs of their frames."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tubelet.errors import OptionError, VideoError
from tubelet.spelling import counted
from tubelet.types import Frames
from tubelet.video.probe import probe
from tubelet.video.read import read_from

_MOVIES = (
    ".3g2 .3gp .asf .avi .divx .dv .f4v .flv .m2ts .m4v .mkv .mov .mp4 .mpe .mpeg .mpg .mts .mxf .ogv .qt "
    ".rm .rmvb .ts .vob .webm .wmv"
)
_STREAMS = ".264 .265 .h264 .h265 .hevc .ivf .m1v .m2v .mjpeg .mjpg .obu .vvc .y4m"

SUFFIXES = frozenset([*_MOVIES.split(), *_STREAMS.split(), ".apng", ".gif", ".npy"])
"""What the names of clips end with."""


def find_clips(folder: Path, *, exclude: Sequence[str] = ()) -> list[Path]:
    """The clips below a folder, in the order of their names.

    Args:
        folder: searched with all folders below it, and those that links there lead to; names that begin with
            a dot are hidden, and no clips.
        exclude: patterns such as ``*_val*``; a clip whose name matches one is left out.

    Raises:
        OptionError: it is not a folder, holds no clip, or cannot be searched as a whole.
    """
    if not folder.is_dir():
        raise OptionError(f"{folder} is not a folder; give the folder that holds the clips.")
    clips = sorted(path for path in _below(folder) if _is_clip(path, folder))
    kept = [path for path in clips if not any(path.match(pattern) for pattern in exclude)]
    if not clips:
        known = " ".join(sorted(SUFFIXES))
        raise OptionError(f"{folder} holds no clip; at least one is needed. Names of clips end with {known}.")
    if not kept:
        patterns = " ".join(exclude)
        raise OptionError(
            f"{folder} holds {counted(len(clips), 'clip')}, and {patterns} leaves nothing; at least one is "
            "needed. Leave out fewer."
        )
    return kept


def _below(folder: Path, searched: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Everything below a folder; hidden folders are passed over, and links to folders followed.

    A link is not followed where it leads into a folder that is being searched: what is there has its own name
    there, and links that go in a circle would have no end.

    Args:
        folder: where.
        searched: the folders that this one is in, without links.

    Raises:
        OptionError: a folder cannot be read: its clips would be missing, and nobody would know.
    """

    def refuse(error: OSError) -> None:
        raise OptionError(
            f"the folder {error.filename} cannot be read: {error.strerror}. Allow it, or give the folders "
            "that can be read."
        ) from error

    searched = (*searched, folder.resolve())
    for place, folders, names in os.walk(folder, onerror=refuse):
        yield from (Path(place, name) for name in names)
        # A linked folder may be one around those that linked to it.
        folders[:] = [
            name for name in folders if name[0] != "." and Path(place, name).resolve() not in searched
        ]
        for link in (Path(place, name) for name in folders if Path(place, name).is_symlink()):
            if not any(link.resolve().is_relative_to(each) for each in searched):
                yield from _below(link, searched)


def _is_clip(path: Path, folder: Path) -> bool:
    hidden = any(name.startswith(".") for name in path.relative_to(folder).parts)
    return not hidden and path.suffix.lower() in SUFFIXES and (path.is_file() or _leads_nowhere(path))


def _leads_nowhere(path: Path) -> bool:
    """Whether a path is a link to what is not there: a clip that is missing, which reading it names."""
    return path.is_symlink() and not path.exists()


def sample_runs(clip: Path, *, frames: int, runs: int, generator: np.random.Generator) -> Iterator[Frames]:
    """Give up to `runs` runs of `frames` consecutive frames from random places of a clip, in order.

    Clips shorter than a run give nothing.

    Raises:
        VideoError: the clip cannot be read.
    """
    duration = probe(clip).duration_seconds or 0.0
    for seconds in np.sort(generator.uniform(0, 1, runs)) * duration:
        try:
            run = next(read_from(clip, float(seconds), run=frames), None)
        except VideoError:
            if seconds == 0:
                raise
            continue
        if run is not None and len(run.frames) == frames:
            yield run.frames
