"""VMAF of 8-bit RGB clips, measured by libvmaf inside FFmpeg."""

import json
import math
import subprocess
import tempfile
import threading
import weakref
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from tubelet.errors import OptionError, ShapeError, VideoError
from tubelet.files.leftovers import sweep, unfinished
from tubelet.metrics.runs import check_runs, nothing_compared
from tubelet.types import Frames

MODEL = "vmaf_v0.6.1"
"""Netflix's model of 2016 for HD on a television, libvmaf's default."""

SMALLEST = 32
"""Rows and columns that a frame needs: libvmaf crashes below 18, and its coarsest scale holds an eighth."""

_LOG = "vmaf.json"
_ERRORS = "errors.txt"
_MOST_LOG = 1 << 16, 1 << 13
"""Bytes of a log that are read at most: in all, and for each frame on top; one takes about 700."""

_MOST_ERRORS = 2000
_TO_LUMA = (
    "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp,"
    "format=yuv444p"
)


class _Running(NamedTuple):
    """An FFmpeg that waits for frames, and the folder that it writes into."""

    process: subprocess.Popen[bytes]
    folder: Path
    place: ExitStack


class ClipVMAF:
    """VMAF (Netflix; Li et al. 2016), model `MODEL`, the mean over the frames of a clip; 0 to 100.

    It is computed by the libvmaf in FFmpeg (from the package imageio-ffmpeg), on luma: frames are converted
    to BT.709 of limited range with accurate rounding. The model was trained on pictures of 1920x1080, seen
    from three heights away; frames of other sizes are not scaled here, so values of different sizes cannot be
    compared. Equal clips have about 97 to 100, not always 100.

    Both clips go through one pipe, a frame of the reference above the same frame of the other, and are cut
    apart inside FFmpeg: so no timestamps can pair the wrong frames, which costs up to 17 points. FFmpeg works
    while frames come in; memory does not grow with the clip's length.

    Args:
        threads: that libvmaf may use.
        timeout: seconds that FFmpeg may take for the frames of one update, and at the end.

    Raises:
        OptionError: imageio-ffmpeg is not installed; or threads or timeout are not positive.
    """

    def __init__(self, *, threads: int = 1, timeout: float = 600.0) -> None:
        if threads < 1 or timeout <= 0:
            raise OptionError(f"threads are {threads} and timeout is {timeout} s; both must be above 0.")
        self._ffmpeg = _find_ffmpeg()
        self._threads = threads
        self._timeout = timeout
        self._running: _Running | None = None
        self._size: tuple[int, ...] | None = None
        self._frames = 0
        self._values: list[float] | None = None
        self._failed: str | None = None

    def update(self, reference: Frames, frames: Frames) -> None:
        """Add the run of frames that follows those before.

        Raises:
            ShapeError: the runs differ in length or size, or in size from those before, or a side of the
                frames is shorter than `SMALLEST`.
            OptionError: the figure of this clip was computed already.
            VideoError: FFmpeg failed or took too long.
        """
        check_runs(reference, frames, measure="VMAF", size=self._size)
        height, width = frames.shape[1:3]
        if min(height, width) < SMALLEST:
            raise ShapeError(
                f"the frames have {width}x{height} pixels; VMAF needs {SMALLEST} rows and columns. Leave "
                "this clip out."
            )
        if self._values is not None:
            raise OptionError(
                "this clip's VMAF was computed; no frame can follow. Use one ClipVMAF per clip."
            )
        if self._failed is not None:
            raise VideoError(self._failed)
        if self._running is None:
            self._running = _start(self._ffmpeg, height, width, self._threads)
            weakref.finalize(self, _stop, self._running)
        self._size = frames.shape[1:]
        self._write(self._running, reference, frames)

    def values(self) -> list[float]:
        """VMAF of each frame, in order. It ends the measurement, as `compute` does.

        Raises:
            ShapeError: no frame was added.
            VideoError: FFmpeg failed, took too long, or did not measure as many frames as it was given.
        """
        if self._failed is not None:
            raise VideoError(self._failed)
        if not self._frames or self._running is None:
            raise nothing_compared("VMAF")
        if self._values is None:
            self._values = self._finish(self._running)
        return list(self._values)

    def compute(self) -> float:
        """The mean over frames. It ends the measurement: no update can follow.

        Raises:
            ShapeError: no frame was added.
            VideoError: as for `values`.
        """
        return math.fsum(self.values()) / self._frames

    def _write(self, running: _Running, reference: Frames, frames: Frames) -> None:
        # A pipe has no timeout of its own: ending its reader ends the write.
        late = threading.Event()

        def end() -> None:
            late.set()
            running.process.kill()

        watchdog = threading.Timer(self._timeout, end)
        watchdog.start()
        assert running.process.stdin is not None
        try:
            for one, other in zip(reference, frames, strict=True):
                running.process.stdin.write(_stack(one, other))
                self._frames += 1
        except OSError as error:
            raise self._failure(running, late=late.is_set()) from error
        finally:
            watchdog.cancel()

    def _finish(self, running: _Running) -> list[float]:
        assert running.process.stdin is not None
        try:
            running.process.stdin.close()
            code = running.process.wait(timeout=self._timeout)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise self._failure(running, late=isinstance(error, subprocess.TimeoutExpired)) from error
        if code:
            raise self._failure(running, late=False)
        values = _read_log(running.folder / _LOG, self._frames)
        _stop(running)
        return values

    def _failure(self, running: _Running, *, late: bool) -> VideoError:
        """The error that says what FFmpeg said; it is ended."""
        running.process.kill()
        running.process.wait()
        said = _tail(running.folder / _ERRORS)
        code = running.process.returncode
        _stop(running)
        if late:
            self._failed = (
                f"FFmpeg took more than {self._timeout} s for VMAF. Give a longer timeout or more threads."
            )
        else:
            self._failed = (
                f"FFmpeg could not measure VMAF (exit code {code}): {said or 'it gave no reason'}. Check "
                f"that {self._ffmpeg} has the filter libvmaf."
            )
        return VideoError(self._failed)


def _find_ffmpeg() -> str:
    try:
        import imageio_ffmpeg  # noqa: PLC0415  an extra, needed only here
    except ImportError as error:
        raise OptionError(
            "imageio-ffmpeg is not installed; VMAF is measured by the FFmpeg inside it. Install it with "
            "`pip install 'tubelet[eval]'`."
        ) from error
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise OptionError(
            f"imageio-ffmpeg has no FFmpeg for this machine ({error}); VMAF needs one with the filter "
            "libvmaf. Name it in the environment variable IMAGEIO_FFMPEG_EXE, which that package reads."
        ) from error


def _start(ffmpeg: str, height: int, width: int, threads: int) -> _Running:
    """FFmpeg, waiting for frames of twice the height: the reference above, what is measured below."""
    cut = f"crop={width}:{height}:0"
    graph = (
        f"split[both][twice];[both]{cut}:{height},{_TO_LUMA}[measured];[twice]{cut}:0,{_TO_LUMA}[reference];"
        f"[measured][reference]libvmaf=model=version={MODEL}:n_threads={threads}:log_fmt=json:log_path={_LOG}"
    )
    # The log is named without its folder, whose name might hold what a filter graph takes for syntax.
    source = [
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        f"{width}x{2 * height}",
        "-r",
        "24",
        "-i",
        "pipe:0",
    ]
    quiet = ["-nostdin", "-hide_banner", "-nostats", "-v", "error", "-filter_complex_threads", "1"]
    command = [ffmpeg, *quiet, *source, "-filter_complex", graph, "-f", "null", "-"]
    temporary = Path(tempfile.gettempdir())
    sweep(temporary)
    place = ExitStack()
    folder = place.enter_context(unfinished(temporary / "vmaf"))
    try:
        with (folder / _ERRORS).open("wb") as errors:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, cwd=folder
            )
    except OSError as error:
        place.close()
        raise VideoError(f"{ffmpeg} does not start: {error}. Reinstall imageio-ffmpeg.") from error
    return _Running(process, folder, place)


def _stop(running: _Running) -> None:
    """End FFmpeg if it runs, and remove its folder; nothing happens the second time."""
    running.process.kill()
    running.process.wait()
    if running.process.stdin is not None:
        with suppress(OSError):
            running.process.stdin.close()
    running.place.close()


def _stack(one: UInt8[np.ndarray, "H W 3"], other: UInt8[np.ndarray, "H W 3"]) -> bytes:
    return one.tobytes() + other.tobytes()


def _tail(path: Path) -> str:
    """The end of what FFmpeg wrote, however much that is."""
    with suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _MOST_ERRORS))
        return file.read(_MOST_ERRORS).decode("utf-8", errors="replace").strip()
    return ""


def _read_log(path: Path, frames: int) -> list[float]:
    """The values of all frames out of libvmaf's log."""
    most = _MOST_LOG[0] + _MOST_LOG[1] * frames
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise VideoError(f"the log of libvmaf has more than {most} bytes for {frames} frames.")
        values = [float(frame["metrics"]["vmaf"]) for frame in json.loads(data)["frames"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VideoError(
            f"the log of libvmaf cannot be read ({error!r}); it holds one value per frame. Check that "
            "FFmpeg's libvmaf is of version 2 or 3."
        ) from error
    if len(values) != frames or not all(map(math.isfinite, values)):
        raise VideoError(
            f"libvmaf measured {len(values)} frames of {frames}, or gave what is not a finite number. "
            "Measure again."
        )
    return values
