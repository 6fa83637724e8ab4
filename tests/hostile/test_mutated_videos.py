"""Whatever bytes a video has, reading gives frames, or errors and warnings of ours: no crash, no hang."""

import random
import subprocess
import sys
import warnings
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tubelet.errors import TubeletError, TubeletWarning
from tubelet.video.audio import read_audio
from tubelet.video.read import read

KINDS = {
    "mp4": ("libx264", "yuv420p"),
    "mkv": ("mpeg2video", "yuv420p"),
    "webm": ("libvpx-vp9", "yuv420p"),
    "gif": ("gif", "rgb8"),
    "png": ("png", "rgb24"),
    "ts": ("libx264", "yuv420p"),
    "avi": ("mpeg4", "yuv420p"),
    "mov": ("mjpeg", "yuvj420p"),
    "webp": ("libwebp", "yuv420p"),
    "hevc.mp4": ("libx265", "yuv420p"),
    "av1.mp4": ("libsvtav1", "yuv420p"),
    "avif": ("libsvtav1", "yuv420p"),
    "ffv1.mkv": ("ffv1", "yuv420p"),
    "apng": ("apng", "rgb24"),
    "sound.mp4": ("libx264", "yuv420p"),
    "sound.mkv": ("mpeg4", "yuv420p"),
    "sound.ts": ("mpeg2video", "yuv420p"),
}
OPTIONS = {
    "libx265": {"x265-params": "log-level=none:pools=none"},
    "libsvtav1": {"preset": "12", "svtav1-params": "lp=1"},
}
MOST_BYTES = 1_500_000_000
"""Address space of a process that reads mutated files; an honest one takes less than half."""


def small_film(path: Path, kind: str) -> bytes:
    codec, pixel_format = KINDS[kind]
    pixels = np.random.default_rng(1).integers(0, 256, (6, 64, 64, 3), np.uint8)
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=10, options=OPTIONS.get(codec, {}))
        stream.width = stream.height = 64
        stream.pix_fmt = pixel_format
        sound = output.add_stream("aac", rate=8000, layout="mono") if kind.startswith("sound.") else None
        for index, picture in enumerate(pixels[:1] if kind in {"png", "webp", "avif"} else pixels):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound is not None:
            noise = np.random.default_rng(2).normal(0, 0.1, (1, 8 * 1024)).astype(np.float32)
            for start in range(0, noise.shape[1], 1024):
                part = av.AudioFrame.from_ndarray(
                    noise[:, start : start + 1024], format="fltp", layout="mono"
                )
                part.sample_rate, part.pts, part.time_base = 8000, start, Fraction(1, 8000)
                output.mux(sound.encode(part))
            output.mux(sound.encode(None))
    return path.read_bytes()


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Change bytes, swap in extreme numbers, cut, repeat or drop a piece; often near the header."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        reach = chance.choice((64, 1024, len(changed)))
        at = chance.randrange(max(1, min(reach, len(changed))))
        if chance.random() < 0.3:
            at = max(0, len(changed) - 1 - at)
        match chance.randrange(6):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                changed[at : at + 4] = chance.choice(
                    (b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\0\0\0\1")
                )
            case 2:
                changed[at : at + 1] = bytes(
                    [(changed[at] if at < len(changed) else 0) ^ 1 << chance.randrange(8)]
                )
            case 3:
                del changed[at : at + chance.choice((1, 8, 200, len(changed)))]
            case 4:
                changed[at:at] = changed[at : at + chance.choice((1, 8, 200))]
            case _:
                size = chance.choice((8, 100))
                changed[at : at + size] = chance.randbytes(size)
        if not changed:
            break
    return bytes(changed)


def read_mutations(folder: Path, kind: str, first: int, count: int) -> None:
    """Read `count` mutations of a small film, and see that nothing but what is ours comes out."""
    data = small_film(folder / f"sound.{kind}", kind)
    path = folder / f"changed.{kind}"
    for seed in range(first, first + count):
        (folder / "seed").write_text(str(seed))
        path.write_bytes(mutated(data, random.Random(seed)))
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            try:
                for run in read(path, run=4, stop=100):
                    assert (np.diff(run.timestamps) > 0).all(), f"seed {seed}"
                before = None
                for packet in read_audio(path):
                    assert before is None or before <= packet.dts <= packet.pts, f"seed {seed}"
                    assert packet.duration >= 0, f"seed {seed}"
                    before = packet.dts
            except TubeletError:
                pass
        strange = [each for each in heard if not issubclass(each.category, TubeletWarning)]
        assert not strange, f"seed {seed}: {strange[0].message}"


def in_a_process(folder: Path, kind: str, first: int, count: int, seconds: float) -> None:
    """Read mutations in a process of bounded memory and time, so that a crash is a failure with a seed."""
    program = (
        "import resource, sys; from pathlib import Path; "
        f"sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_mutated_videos as test; "
        f"test.read_mutations(Path({str(folder)!r}), {kind!r}, {first}, {count}); "
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024; "
        f"assert peak < {MOST_BYTES}, f'peak memory {{peak}}'"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=seconds, check=False
    )
    assert ended.returncode == 0, (
        f"code {ended.returncode}, after {ended.stdout[-40:]}: {ended.stderr[-2000:]}"
    )


@pytest.mark.parametrize("kind", ["mp4", "mkv", "png", "sound.mp4", "sound.ts"])
def test_some_mutations_give_frames_or_an_error_of_ours(tmp_path, kind):
    read_mutations(tmp_path, kind, 0, 40)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(KINDS))
def test_many_mutations_give_frames_or_an_error_of_ours(tmp_path, kind, request):
    # A fifth of what other formats get: each takes a hundred times as long.
    count = request.config.getoption("--mutations") // 5
    in_a_process(tmp_path, kind, 1000, count, seconds=max(600, count))
