"""A video, or a range of one, opened by the same name."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from tubelet.errors import OptionError, VideoError
from tubelet.given import as_video
from tubelet.video.info import VideoInfo
from tubelet.video.read import OpenVideo, Run, cut, first_tick, open_video, read_from


class VideoRange(NamedTuple):
    """A part of a video.

    Attributes:
        path: of the video.
        start: seconds after its first frame at which the range begins; none for the beginning.
        end: seconds after its first frame at which it ends; none for the end.
    """

    path: Path
    start: float | None = None
    end: float | None = None

    def __str__(self) -> str:
        return f"{self.path}{range_text(self.start, self.end)}"


AnyVideo = Path | str | VideoRange
"""A file that `tubelet.video` reads, or a range of one."""


def range_text(start: float | None, end: float | None) -> str:
    """A range as links to media have it, such as ``#t=2.5,7``; empty for all of a video."""
    if start is None and end is None:
        return ""
    return f"#t={start or 0:.12g}{'' if end is None else f',{end:.12g}'}"


def path_of(video: AnyVideo) -> Path:
    """Where the file lies."""
    return video.path if isinstance(video, VideoRange) else as_video(video, "source")


@contextmanager
def open_any(video: AnyVideo) -> Iterator[OpenVideo]:
    """Open a video as `open_video` does, or a range of one, whose times begin at its first frame.

    What is said of a range is what is said of its video, but for what is not known before it is read (frames,
    duration) and sound: a range has none.

    Raises:
        OptionError: the range ends before it begins.
        VideoError: the video cannot be read; reading raises it too where the range holds no frame.
    """
    path = path_of(video)
    start, end = (video.start, video.end) if isinstance(video, VideoRange) else (None, None)
    if start is None and end is None:
        with open_video(path) as opened:
            yield opened
        return
    if not 0 <= (start or 0) < (float("inf") if end is None else end):
        raise OptionError(f"{video} is not range; it begins at 0 s or later, and ends after it begins.")
    with open_video(path) as opened:
        info = opened.info

        def runs(run: int, first: int, stop: int | None) -> Iterator[Run]:
            found = _from_zero(range_runs(opened, start, end, run=run))
            yield from found if not first and stop is None else cut(found, first, (stop or _ALL) - first)

        yield OpenVideo(
            replace(info, frames=None, duration_seconds=_seconds(info, start, end), audio=None), runs
        )


_ALL = 1 << 62


def range_runs(
    video: OpenVideo, start: float | None, end: float | None, *, run: int, on_show: bool = False
) -> Iterator[Run]:
    """The frames of a range, with the times that they have in the video.

    Args:
        video: open, and not read yet.
        start: seconds after its first frame at which the range begins; none for the beginning.
        end: seconds after its first frame at which it ends; none for the end.
        run: frames per run; the last may be shorter.
        on_show: whether a frame that is shown before the range begins, and still then, comes first, at its
            beginning.

    Raises:
        VideoError: the range holds no frame, or the video cannot be read.
    """
    info = video.info
    origin = int(next(video.runs(run=1)).timestamps[0]) * info.time_base
    begin = origin + Fraction(start or 0)
    stop = None if end is None else origin + Fraction(end)
    found = False
    for each in read_from(info.path, begin, end=stop, run=run, on_show=on_show):
        found = True
        if stop is not None and each.end is not None:
            # The last frame is shown no longer than the range lasts.
            last = max(first_tick(stop, info.time_base), int(each.timestamps[-1]) + 1)
            each = replace(each, end=min(each.end, last))  # noqa: PLW2901
        yield each
    if not found:
        until = "its end" if end is None else f"{end:g} s"
        raise VideoError(
            f"{info.path} has no frame from {start or 0:g} s to {until}. Give a range inside it."
        )


def _from_zero(runs: Iterator[Run]) -> Iterator[Run]:
    origin: int | None = None
    for run in runs:
        origin = int(run.timestamps[0]) if origin is None else origin
        yield replace(
            run, timestamps=run.timestamps - origin, end=None if run.end is None else run.end - origin
        )


def _seconds(info: VideoInfo, start: float | None, end: float | None) -> float | None:
    """How long a range is by what its file claims; none if it claims nothing."""
    if info.duration_seconds is None:
        return None if end is None else end - (start or 0.0)
    return max(0.0, min(info.duration_seconds, end or info.duration_seconds) - (start or 0.0))
