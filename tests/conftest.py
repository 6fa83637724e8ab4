"""Small tokenizers and tiny videos that all tests share."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
import torch
from hypothesis import settings
from safetensors.torch import save_file

from tubelet.models.klt.config import KLTConfig
from tubelet.quantizers.config import FSQConfig
from tubelet.tokenizers.config import DiscreteConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.types import Stride
from tubelet.video.audio import AudioPacket, describe_audio, read_audio
from tubelet.video.info import AudioInfo
from tubelet.video.write import Writer

# Test processes share the cores: a second thread each would only wait for the other processes.
torch.set_num_threads(1)

# A machine that is busy is no reason for a law to fail.
settings.register_profile("tubelet", deadline=None)
settings.load_profile("tubelet")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Make what was captured valid Unicode: names of files may be none, and xdist sends nothing else."""
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode("utf-8")) for name, text in report.sections
    ]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much the slow tests of kills and of damaged files try."""
    parser.addoption("--kills", type=int, default=28, metavar="N", help="random kills of commands (slow)")
    parser.addoption(
        "--mutations", type=int, default=10_000, metavar="N", help="damaged files of each format (slow)"
    )


class Made(NamedTuple):
    """A tokenizer and what it was made from."""

    config: KLTConfig
    tokenizer: ContinuousTokenizer


class Sound(NamedTuple):
    """A stream of coded audio."""

    info: AudioInfo
    packets: list[AudioPacket]


@pytest.fixture(scope="session")
def make_tokenizer() -> Callable[..., Made]:
    """A tokenizer with a random orthonormal transform and random residual branches; the seed decides."""

    def make(*, seed: int = 0, **numbers) -> Made:
        usual = {"name": "small", "patches": (Stride(4, 8, 8),), "coefficients": (12,), "channels": 12}
        config = KLTConfig(**(usual | numbers))
        tokenizer = ContinuousTokenizer.of(config).eval().requires_grad_(requires_grad=False)
        generator = torch.Generator().manual_seed(seed)
        for level in tokenizer.model.transform.klts:
            kept, size = level.basis.shape
            matrix = torch.randn(size, kept, generator=generator, dtype=torch.float64)
            level.basis.copy_(torch.linalg.qr(matrix).Q.T)
            level.mean.copy_(torch.randn(size, generator=generator) / 4)
        deviation = tokenizer.model.transform.deviation
        deviation.copy_(0.5 + torch.rand(deviation.shape, generator=generator))
        for network in tokenizer.model.networks():
            for weights in network.parameters():
                fan_in = max(1, weights[0].numel())
                weights.copy_(torch.randn(weights.shape, generator=generator) / fan_in**0.5)
        return Made(config, tokenizer)

    return make


@pytest.fixture(scope="session")
def small_made(make_tokenizer) -> Made:
    return make_tokenizer()


@pytest.fixture(scope="session")
def small_tokenizer(small_made) -> ContinuousTokenizer:
    """A linear tokenizer of stride 4x8x8 and 12 channels."""
    return small_made.tokenizer


@pytest.fixture(scope="session")
def network_made(make_tokenizer) -> Made:
    return make_tokenizer(name="network", width=16, encoder_blocks=1, decoder_blocks=2)


@pytest.fixture(scope="session")
def network_tokenizer(network_made) -> ContinuousTokenizer:
    """The same with networks around it whose residual branches are not zero."""
    return network_made.tokenizer


@pytest.fixture(scope="session")
def make_folder(tmp_path_factory) -> Callable[[Made], Path]:
    """The checkpoint of a tokenizer, on disk."""
    return lambda made: made.tokenizer.save(
        tmp_path_factory.mktemp("checkpoint") / made.config.name, card="# test\n"
    )


@pytest.fixture(scope="session")
def small_folder(make_folder, small_made) -> Path:
    return make_folder(small_made)


@pytest.fixture(scope="session")
def network_folder(make_folder, network_made) -> Path:
    return make_folder(network_made)


@pytest.fixture(scope="session")
def token_folder(make_tokenizer, tmp_path_factory) -> Path:
    """A checkpoint of a small discrete tokenizer, called ``tokens``."""
    backbone = make_tokenizer(channels=4)
    config = DiscreteConfig(name="tokens", backbone=backbone.config, quantizer=FSQConfig(levels=(8, 5, 5, 3)))
    tokenizer = DiscreteTokenizer.of(config)
    tokenizer.backbone.load_state_dict(backbone.tokenizer.state_dict())
    generator = torch.Generator().manual_seed(0)
    tokenizer.quantizer.fit(torch.randn(1000, 4, generator=generator), generator=generator)
    return tokenizer.save(tmp_path_factory.mktemp("discrete") / "tokens", card="# test\n")


@pytest.fixture
def written(tmp_path) -> Callable[..., Path]:
    """Writes a file of weights."""

    def write(tensors: dict[str, torch.Tensor], name: str = "weights.safetensors") -> Path:
        path = tmp_path / name
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
        return path

    return write


@pytest.fixture(scope="session")
def smooth() -> Callable[..., np.ndarray]:
    """Smooth moving colours, uint8 T H W 3."""

    def make(frames: int, height: int, width: int) -> np.ndarray:
        t, y, x = np.meshgrid(np.arange(frames), np.arange(height), np.arange(width), indexing="ij")
        channels = [np.sin(x / 19 + t / 5), np.cos(y / 13 - t / 7), np.sin((x + y) / 27 + t / 6)]
        return np.round(127.5 + 100 * np.stack(channels, -1)).astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def sine(tmp_path_factory) -> Sound:
    """One second of a tone as AAC, by PyAV alone."""
    path = tmp_path_factory.mktemp("sound") / "sine.mp4"
    rate = 48000
    tone = (9000 * np.sin(np.arange(rate) * 0.05)).astype(np.float32) / 32768
    sound = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
    sound.sample_rate, sound.pts, sound.time_base = rate, 0, Fraction(1, rate)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=rate, layout="mono")
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate, frame_size=1024)
        for part in [*resampler.resample(sound), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    with av.open(str(path)) as container:
        info = describe_audio(path, container)
    assert info is not None
    return Sound(info, list(read_audio(path)))


@pytest.fixture
def video_file(tmp_path, smooth) -> Callable[..., Path]:
    """Write a tiny clip; the suffix of the name chooses the format, and .mkv is lossless."""

    def make(
        name: str = "clip.mkv",
        *,
        frames: int = 9,
        height: int = 24,
        width: int = 40,
        timestamps: list[int] | None = None,
        time_base: Fraction = Fraction(1, 25),
        sound: Sound | None = None,
    ) -> Path:
        path = tmp_path / name
        ticks = np.arange(frames) if timestamps is None else np.array(timestamps)
        audio = None if sound is None else sound.info
        with Writer(path, width=width, height=height, time_base=time_base, audio=audio, force=True) as writer:
            writer.write(smooth(frames, height, width), ticks)
            for packet in () if sound is None else sound.packets:
                writer.write_audio(packet)
        return path

    return make


def moving_noise(random: np.random.Generator) -> np.ndarray:
    """Frames of smooth noise that moves: nothing to learn by heart, and something to learn."""
    field = random.normal(size=(33, 33, 3))
    for axis in (0, 1, 0, 1):
        field = field + np.roll(field, 1, axis)
    field = np.clip(128 + field * (45 / field.std()), 0, 255)
    return np.stack([field[t : t + 24, t : t + 24] for t in range(9)]).astype(np.uint8)


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """A folder as `tubelet prepare` makes it: three clips of six crops."""
    folder = tmp_path_factory.mktemp("crops")
    random = np.random.default_rng(0)
    cut = {"first": 0, "stride": 1, "scale": 1.0, "row": 0, "column": 0}
    clips = []
    for number in range(3):
        crops = np.stack([moving_noise(random) for _ in range(6)])
        np.save(folder / f"crops-{number:05d}.npy", crops)
        clips.append({"name": f"{number}.mp4", "size": 1, "cuts": [cut] * 6, "skipped": ""})
    settings = {"crop": 24, "frames": 9, "per_clip": 6, "seed": 0}
    index = {"format": 1, "settings": settings, "clips": clips}
    (folder / "index.json").write_text(json.dumps(index))
    return folder
