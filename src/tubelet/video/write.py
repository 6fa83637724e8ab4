"""RGB frames into video files; the suffix of the name chooses how."""

import warnings
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, runtime_checkable

import numpy as np
from av.error import FFmpegError
from jaxtyping import Int64, UInt8

from tubelet.errors import LossWarning, OptionError, VideoError
from tubelet.files import replacing
from tubelet.files.names import suffix_text
from tubelet.video.array import ArrayFile
from tubelet.video.audio import AudioPacket
from tubelet.video.encode import CONTAINERS, STILLS, Movie, Still
from tubelet.video.info import AudioInfo, Colour

SUFFIXES = (*CONTAINERS, *STILLS, ".npy")
"""The suffixes that a file can be written with."""


@runtime_checkable
class _Sink(Protocol):
    def write(self, pixels: np.ndarray, tick: int, duration: int) -> None: ...
    def close(self) -> None: ...
    def abandon(self) -> None: ...


class Writer:
    """Writes one video file, which appears under its name only when it is complete.

    ``.mp4 .mov .m4v`` hold H.264 (4:2:0, or 4:4:4 if a side is odd), ``.webm`` VP9, ``.mkv`` lossless RGB
    (FFV1), ``.npy`` the frames as an array, ``.png .jpg .webp`` exactly one frame. Colours are converted
    without bias and tagged; chroma of 4:2:0 is put at the left, as these codecs have it. Timestamps are exact
    in MP4 and MOV, and rounded to a millisecond in Matroska and WebM, which store no more; arrays and images
    store none. Used as a context manager; if the body raises, nothing is left behind.

    Args:
        target: the file; its suffix chooses the format.
        width: columns.
        height: rows.
        time_base: seconds per tick of the timestamps.
        colour: the source's description; BT.709 limited if None or untagged. A matrix other than BT.601 and
            BT.709 is written as BT.709.
        sample_aspect: width of a displayed pixel over its height; only MP4 and MOV store it.
        audio: the audio stream that `write_audio` is going to fill; dropped with a warning where it does not
            fit.
        tags: what the file says of itself, such as ``title`` and ``comment``; images and arrays say nothing.
        force: whether an existing `target` is replaced.
        repeatable: whether the same frames must always give the same bytes, for H.264 at the price of a third
            more of them.

    Raises:
        OptionError: the suffix, a size or the time base has no meaning.
        OutputError: `target` exists and `force` is false, or there is no room for it.
        VideoError: the frames cannot be coded: more than one for an image, none at all, or too large.
    """

    def __init__(  # noqa: PLR0913  what a file holds, by name
        self,
        target: Path | str,
        *,
        width: int,
        height: int,
        time_base: Fraction,
        colour: Colour | None = None,
        sample_aspect: Fraction | int = 1,
        audio: AudioInfo | None = None,
        tags: Mapping[str, str] | None = None,
        force: bool = False,
        repeatable: bool = False,
    ) -> None:
        self._target = Path(target)
        self._suffix = self._target.suffix.lower()
        if self._suffix not in SUFFIXES:
            raise OptionError(
                f"{self._target} ends in {suffix_text(self._suffix)}; the suffix chooses the format and is "
                f"one of {' '.join(SUFFIXES)}."
            )
        if width < 1 or height < 1:
            raise OptionError(f"the size is {width}x{height}; a frame has at least one pixel.")
        if time_base <= 0:
            raise OptionError(f"time_base is {time_base} seconds per tick; it must be positive.")
        self._size = (height, width, 3)
        self._time_base = Fraction(time_base)
        self._colour = colour
        self._sample_aspect = Fraction(sample_aspect)
        self._audio = audio
        self._tags = dict(tags or {})
        self._force = force
        self._repeatable = repeatable
        self._exit = ExitStack()
        self._sink: _Sink | None = None
        self._count = 0
        self._last: int | None = None
        self._step = max(1, round(1 / (24 * self._time_base)))

    def __enter__(self) -> "Writer":
        with ExitStack() as stack:
            beside = stack.enter_context(replacing(self._target, force=self._force))
            self._sink = self._open(beside)
            stack.push(self._close)
            self._exit = stack.pop_all()
        return self

    def _open(self, path: Path) -> _Sink:
        height, width, _ = self._size
        if self._suffix not in CONTAINERS and self._audio is not None:
            self._lose(f"the audio is left out: {self._suffix} has no sound")
        if self._sample_aspect != 1 and self._suffix not in {".mp4", ".m4v", ".mov"}:
            self._lose(
                f"the shape of its pixels ({self._sample_aspect}) is not stored by {self._suffix}; .mp4 does"
            )
        if self._suffix == ".npy":
            return ArrayFile(path, width=width, height=height)
        if self._suffix in STILLS:
            return Still(path, self._suffix)
        movie = Movie(
            path,
            CONTAINERS[self._suffix],
            size=(width, height),
            time_base=self._time_base,
            colour=self._colour,
            sample_aspect=self._sample_aspect,
            audio=self._audio,
            repeatable=self._repeatable,
            tags=self._tags,
        )
        if self._audio is not None and not movie.has_audio:
            self._lose(f"the audio is left out: {self._suffix} cannot hold {self._audio.codec}; .mkv does")
        return movie

    def _lose(self, what: str) -> None:
        warnings.warn(f"{self._target}: {what}.", LossWarning, stacklevel=4)

    def write(
        self,
        frames: UInt8[np.ndarray, "T H W 3"],
        timestamps: Int64[np.ndarray, " T"],
        *,
        end: int | None = None,
    ) -> None:
        """Append frames.

        Args:
            frames: RGB, 0 to 255, of the size that was promised.
            timestamps: in ticks of `time_base`, strictly increasing, also from call to call.
            end: when the last of them stops being shown, in the same ticks; for none as long after it as it
                is after the one before.

        Raises:
            OptionError: the shapes do not fit, or a timestamp, or the end, is not after the one before.
            VideoError: the frames cannot be coded.
            OutputError: there is no room.
        """
        if frames.shape[1:] != self._size or len(frames) != len(timestamps):
            height, width, _ = self._size
            raise OptionError(
                f"{len(timestamps)} timestamps and frames of the shape {frames.shape}; "
                f"this writer takes T timestamps and T x {height} x {width} x 3."
            )
        if len(frames) == 0:
            return
        steps = np.diff(timestamps, prepend=self._last if self._last is not None else timestamps[:1] - 1)
        if (steps <= 0).any():
            raise OptionError("timestamps must increase strictly; video.clock.Clock repairs them.")
        if self._suffix in STILLS and self._count + len(frames) > 1:
            raise VideoError(
                f"{self._target} is one image but the clip has more frames. "
                "Write .mp4, .webm, .mkv or .npy, or one frame."
            )
        assert self._sink is not None, "Writer is used in a with statement"
        if end is not None and end <= timestamps[-1]:
            raise OptionError(
                f"the last frame is shown at {timestamps[-1]} and ends at {end}; give a later end."
            )
        # A frame lasts until the next; the last of a run until its end, or as long as the one before it.
        usual = int(steps[-1]) if len(steps) > 1 or self._last is not None else self._step
        durations = [*steps[1:].tolist(), usual if end is None else end - int(timestamps[-1])]
        for pixels, tick, duration in zip(frames, timestamps.tolist(), durations, strict=True):
            try:
                self._sink.write(np.ascontiguousarray(pixels), tick, duration)
            except (FFmpegError, ValueError, OverflowError) as error:
                raise self._explained(error) from error
        self._count += len(frames)
        self._last = int(timestamps[-1])

    def write_audio(self, packet: AudioPacket) -> None:
        """Append one packet of the audio stream that was announced; ignored where the format cannot hold it.

        Raises:
            VideoError: the packet does not fit the stream.
            OutputError: there is no room.
        """
        if isinstance(self._sink, Movie):
            try:
                self._sink.write_audio(packet)
            except (FFmpegError, ValueError, OverflowError) as error:
                if isinstance(error, OSError):
                    raise
                raise VideoError(
                    f"{self._target}: its sound cannot be written, a packet at {packet.pts}, decoded at "
                    f"{packet.dts}, {packet.duration} long: {error}. Leave it out with --no-audio."
                ) from error

    def _explained(self, error: Exception) -> Exception:
        """Return an error that names the file; a full disk stays what it is, for `replacing` to explain."""
        if isinstance(error, OSError):
            return error
        height, width, _ = self._size
        return VideoError(
            f"{self._target} ({width}x{height}) cannot be written: {error}. Try .mkv, which takes any size."
        )

    def _close(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._sink is not None, "closed after it was opened"
        if kind is not None:
            # The file is thrown away: it need not be completed, nor the frames coded that an encoder holds.
            with suppress(FFmpegError, OSError, ValueError, OverflowError):
                self._sink.abandon()
            return
        try:
            self._sink.close()
        except (FFmpegError, ValueError, OverflowError) as error:
            raise self._explained(error) from error
        if self._count == 0:
            raise VideoError(f"{self._target}: no frames were written, and a video has at least one.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._exit.__exit__(kind, error, trace)
