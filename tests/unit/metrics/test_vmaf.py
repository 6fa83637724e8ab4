import gc
import json
import stat
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from tubelet.errors import OptionError, ShapeError, VideoError
from tubelet.metrics.vmaf import SMALLEST, ClipVMAF

FRAMES, HEIGHT, WIDTH = 4, 66, 75
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def noisy(clip: np.ndarray, deviation: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, deviation, clip.shape)
    return np.clip(np.rint(clip + noise), 0, 255).astype(np.uint8)


def measured(*runs: tuple[np.ndarray, np.ndarray]) -> ClipVMAF:
    metric = ClipVMAF()
    for reference, frames in runs:
        metric.update(reference, frames)
    return metric


@pytest.fixture
def clip(smooth) -> np.ndarray:
    """Smooth moving colours under a still texture."""
    return noisy(smooth(FRAMES, HEIGHT, WIDTH), 0) // 2 + np.random.default_rng(1).integers(
        0, 100, (1, HEIGHT, WIDTH, 1), dtype=np.uint8
    )


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a shell script in the place of FFmpeg."""

    def put(lines: str) -> None:
        path = tmp_path / "ffmpeg"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(path))

    return put


def luma_by_ffmpeg(clip: np.ndarray, path: Path) -> np.ndarray:
    """Write a clip as a file of yuv444p, BT.709 of limited range; give its luma."""
    size = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-i", "-"]
    flags = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
    chain = f"scale=out_color_matrix=bt709:out_range=tv:{flags},format=yuv444p"
    done = subprocess.run(
        [FFMPEG, "-v", "error", *size, "-vf", chain, "-f", "rawvideo", "-"],
        input=clip.tobytes(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    path.write_bytes(done.stdout)
    return np.frombuffer(done.stdout, np.uint8).reshape(len(clip), 3, HEIGHT, WIDTH)[:, 0]


def by_files(folder: Path) -> list[float]:
    """libvmaf on two files, paired by their timestamps."""
    size = ["-f", "rawvideo", "-pix_fmt", "yuv444p", "-s", f"{WIDTH}x{HEIGHT}"]
    inputs = [*size, "-i", str(folder / "measured"), *size, "-i", str(folder / "reference")]
    graph = (
        "[0:v]settb=1/24,setpts=N[a];[1:v]settb=1/24,setpts=N[b];[a][b]libvmaf=log_fmt=json:log_path=log.json"
    )
    command = [FFMPEG, "-v", "error", *inputs, "-lavfi", graph, "-f", "null", "-"]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    log = json.loads((folder / "log.json").read_text())
    return [frame["metrics"]["vmaf"] for frame in log["frames"]]


@pytest.mark.parametrize("deviation", [4, 25])
def test_it_is_what_libvmaf_measures_on_two_files_paired_by_their_timestamps(clip, tmp_path, deviation):
    frames = noisy(clip, deviation)
    luma_by_ffmpeg(clip, tmp_path / "reference")
    luma_by_ffmpeg(frames, tmp_path / "measured")
    metric = measured((clip, frames))
    # The same library on the same luma: nothing is left to differ but the six digits of the log.
    assert metric.values() == pytest.approx(by_files(tmp_path), abs=1e-5)
    assert metric.compute() == pytest.approx(np.mean(metric.values()))
    assert 1 < metric.compute() < 99


def test_the_luma_is_that_of_the_standard_but_for_a_level_here_and_there(clip, tmp_path):
    found = luma_by_ffmpeg(clip, tmp_path / "luma")
    expected = 16 + clip @ np.array([0.2126, 0.7152, 0.0722]) * 219 / 255
    # Integer arithmetic may round the other way near a half.
    assert np.abs(found - expected).max() < 0.6


def test_equal_clips_are_near_a_hundred_and_the_noisier_the_lower(clip):
    values = [measured((clip, noisy(clip, deviation))).compute() for deviation in (0, 8, 40)]
    assert values[0] > 95
    assert values[0] > values[1] + 1 > values[2] + 2


def test_the_clips_are_not_mistaken_for_each_other(clip):
    # A blur loses detail, which costs more than the detail that its reference lacks.
    blurred = ((clip.astype(int) + np.roll(clip, 1, 1) + np.roll(clip, 1, 2)) // 3).astype(np.uint8)
    assert measured((clip, blurred)).compute() < measured((blurred, clip)).compute() - 5


def test_every_frame_is_compared_with_its_own(clip):
    frames = clip.copy()
    frames[2] = noisy(frames[2], 60)
    values = measured((clip, frames)).values()
    assert len(values) == FRAMES
    assert values[2] < min(values[0], values[1], values[3]) - 10


def test_the_cut_of_updates_changes_nothing_at_all(clip):
    frames = noisy(clip, 9)
    parts = measured((clip[:0], frames[:0]), (clip[:1], frames[:1]), (clip[1:], frames[1:]))
    assert parts.values() == measured((clip, frames)).values()


def test_more_frames_than_a_pipe_holds_pass_through_it():
    clip = np.random.default_rng(0).integers(0, 256, (3, 200, 300, 3)).astype(np.uint8)
    assert len(measured((clip, clip)).values()) == 3


def test_after_the_figure_no_frame_can_follow(clip):
    metric = measured((clip, clip))
    assert metric.compute() == metric.compute()
    with pytest.raises(OptionError, match="no frame can follow"):
        metric.update(clip, clip)


def test_nothing_is_left_behind(clip):
    metric = measured((clip, clip))
    _, folder, _ = metric._running
    assert folder.is_dir()
    metric.compute()
    assert not folder.exists()
    abandoned = measured((clip, clip))
    process, folder, _ = abandoned._running
    del abandoned
    gc.collect()
    assert process.poll() is not None
    assert not folder.exists()


def test_the_smallest_frames_are_measured_and_smaller_ones_refused(clip):
    small = clip[:, :SMALLEST, :SMALLEST]
    assert len(measured((small, small)).values()) == FRAMES
    with pytest.raises(ShapeError, match="31x66 pixels; VMAF needs 32 rows"):
        measured((clip[:, :, :31],) * 2)


def test_a_clip_has_one_size(clip):
    with pytest.raises(ShapeError, match=r"\(66, 70, 3\) and those before \(66, 75, 3\)"):
        measured((clip, clip), (clip[:, :, :70],) * 2)


def test_no_frames_have_no_quality():
    with pytest.raises(ShapeError, match="VMAF needs at least one"):
        ClipVMAF().compute()


def test_what_ffmpeg_complains_of_is_passed_on(clip, program):
    program("echo 'No such filter: libvmaf' >&2; exit 8")
    with pytest.raises(VideoError, match=r"exit code 8\): No such filter: libvmaf"):
        measured((clip, clip)).compute()


@pytest.mark.parametrize("repeats", [1, 20])
def test_an_ffmpeg_that_hangs_is_ended(clip, program, repeats):
    program("exec sleep 60")
    metric = ClipVMAF(timeout=0.3)
    frames = np.repeat(clip, repeats, axis=0)  # the longer clip fills the pipe
    with pytest.raises(VideoError, match=r"took more than 0.3 s"):
        metric.update(frames, frames)
        metric.compute()
    with pytest.raises(VideoError, match=r"took more than 0.3 s"):
        metric.update(frames, frames)
    assert metric._running.process.poll() is not None
    assert not metric._running.folder.exists()


@pytest.mark.parametrize("log", ["", "[]", '{"frames": [{"metrics": {}}]}', '{"frames": [{"metrics": 3}]}'])
def test_a_log_without_the_values_is_refused(clip, program, log):
    program(f"cat > /dev/null; printf '%s' '{log}' > vmaf.json")
    with pytest.raises(VideoError, match="log of libvmaf cannot be read"):
        measured((clip, clip)).compute()


def test_a_log_of_other_frames_is_refused(clip, program):
    program("""cat > /dev/null; printf '%s' '{"frames": [{"metrics": {"vmaf": 3}}]}' > vmaf.json""")
    with pytest.raises(VideoError, match="measured 1 frames of 4"):
        measured((clip, clip)).compute()


def test_a_log_beyond_all_measure_is_not_read(clip, program):
    program("cat > /dev/null; head -c 200000 /dev/zero > vmaf.json")
    with pytest.raises(VideoError, match="more than 98304 bytes"):
        measured((clip, clip)).compute()


def test_threads_and_timeout_are_positive():
    with pytest.raises(OptionError, match="threads are 0"):
        ClipVMAF(threads=0)
    with pytest.raises(OptionError, match="timeout is 0"):
        ClipVMAF(timeout=0.0)


def test_without_imageio_ffmpeg_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(OptionError, match=r"pip install 'tubelet\[eval\]'"):
        ClipVMAF()
