"""Small clips and films for the tests of tubelet.video."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.codec.context import Flags


@pytest.fixture
def clip() -> Callable[..., np.ndarray]:
    """Smooth moving colours, so that lossy codecs come close."""

    def make(frames: int, height: int, width: int) -> np.ndarray:
        t, y, x = np.meshgrid(np.arange(frames), np.arange(height), np.arange(width), indexing="ij")
        channels = [np.sin(x / 29 + t / 9), np.cos(y / 23 - t / 12), np.sin((x + y) / 37 + t / 7)]
        return np.round(127.5 + 100 * np.stack(channels, -1)).astype(np.uint8)

    return make


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., Path]:
    """Code frames with PyAV alone, so that reading is tested against nothing of ours."""

    def make(
        name: str,
        frames: Iterable[np.ndarray | av.VideoFrame],
        *,
        codec: str = "libx264",
        pixel_format: str = "yuv420p",
        options: dict[str, str] | None = None,
        timestamps: Sequence[int] | None = None,
        time_base: Fraction = Fraction(1, 24),
        container: dict[str, str] | None = None,
        prepare: Callable[[av.VideoStream], None] | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w", container_options=container or {}) as output:
            stream = None
            for index, picture in enumerate(frames):
                is_array = isinstance(picture, np.ndarray)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24") if is_array else picture
                if stream is None:
                    stream = output.add_stream(codec, options=options or {})
                    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, pixel_format
                    stream.codec_context.time_base = time_base
                    stream.codec_context.flags |= Flags.frame_duration
                    if prepare:
                        prepare(stream)
                frame.pts = index if timestamps is None else timestamps[index]
                frame.time_base = time_base
                output.mux(stream.encode(frame))
            assert stream is not None
            output.mux(stream.encode(None))
        return path

    return make


@pytest.fixture
def numbered() -> Callable[[int], list[np.ndarray]]:
    """Frames that show their index as eight black or white blocks, which survive any codec."""

    def make(count: int) -> list[np.ndarray]:
        bits = (np.arange(count)[:, None] >> np.arange(8)) & 1
        blocks = np.repeat(np.repeat((bits * 255).astype(np.uint8)[:, None, :], 32, 1), 16, 2)
        return list(np.repeat(blocks[..., None], 3, -1))

    return make


@pytest.fixture
def number_of() -> Callable[[np.ndarray], list[int]]:
    """Read the indices back."""

    def read(frames: np.ndarray) -> list[int]:
        bits = frames[:, 16, 8::16, 1] > 127
        return (bits << np.arange(8)).sum(1).tolist()

    return read
