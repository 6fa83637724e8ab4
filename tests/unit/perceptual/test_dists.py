import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate

from tubelet.errors import CheckpointError, ShapeError
from tubelet.perceptual.dists import DISTS, L2Pool
from tubelet.perceptual.dists_weights import read_dists

NUMBERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
TINY = (2, 3, 3, 4, 4, 5, 4, 5, 4, 6, 5, 4, 3)
SIZES = (3, 3, 4, 4, 6, 3)
FULL = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64).mul(2).sub(1)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    """The layers of VGG-16 and the weights of DISTS by their published names, with very few channels."""
    made, inputs = {}, 3
    for seed, (number, outputs) in enumerate(zip(NUMBERS, TINY, strict=True)):
        made[f"features.{number}.weight"] = draw(outputs, inputs, 3, 3, seed=seed).float() / inputs**0.5
        made[f"features.{number}.bias"] = 0.3 + draw(outputs, seed=50 + seed).float()
        inputs = outputs
    for seed, name in enumerate(("alpha", "beta")):
        made[name] = draw(1, sum(SIZES), 1, 1, seed=seed).float().abs()
    return made


@pytest.fixture
def dists(weights, written) -> DISTS:
    path = written(weights)
    return read_dists(path, sha256=sha256(path))


def slow_features(frame: np.ndarray, weights: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The frame and the last maps of every stage, by scipy's correlation, plane by plane."""
    frame = (frame + 1) / 2
    found = [frame]
    centre, spread = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    maps = np.stack([(frame[c] - centre[c]) / spread[c] for c in range(3)])
    hann = np.outer([1, 2, 1], [1, 2, 1]) / 16
    for layer in NUMBERS:
        if layer in (5, 10, 17, 24):
            maps = np.stack([np.sqrt(correlate(x**2, hann, mode="constant")[::2, ::2] + 1e-12) for x in maps])
        weight, bias = weights[f"features.{layer}.weight"], weights[f"features.{layer}.bias"]
        sums = [
            sum(correlate(maps[i], weight[o, i], mode="constant") for i in range(len(maps))) + bias[o]
            for o in range(len(weight))
        ]
        maps = np.maximum(np.stack(sums), 0)
        if layer in (2, 7, 14, 21, 28):
            found.append(maps)
    return found


def slow_dists(reference: np.ndarray, frame: np.ndarray, weights: dict[str, np.ndarray]) -> float:
    alpha, beta = weights["alpha"].ravel(), weights["beta"].ravel()
    likeness, channel = 0.0, 0
    for one, other in zip(slow_features(reference, weights), slow_features(frame, weights), strict=True):
        for x, y in zip(one, other, strict=True):
            covariance = np.cov(x.ravel(), y.ravel(), bias=True)
            texture = (2 * x.mean() * y.mean() + 1e-6) / (x.mean() ** 2 + y.mean() ** 2 + 1e-6)
            structure = (2 * covariance[0, 1] + 1e-6) / (covariance[0, 0] + covariance[1, 1] + 1e-6)
            likeness += alpha[channel] * texture + beta[channel] * structure
            channel += 1
    return 1 - likeness / (alpha.sum() + beta.sum())


def test_it_is_the_published_distance_written_out(weights, dists):
    reference, video = draw(2, 3, 1, 32, 37), draw(2, 3, 1, 32, 37, seed=1)
    arrays = {name: tensor.double().numpy() for name, tensor in weights.items()}
    expected = np.mean(
        [slow_dists(reference[clip, :, 0].numpy(), video[clip, :, 0].numpy(), arrays) for clip in range(2)]
    )
    assert 0.05 < expected < 1
    # Single precision through 13 layers; in double, only the weights' own rounding to float32 is shared.
    assert float(dists(reference.float(), video.float())) == pytest.approx(expected, rel=1e-4)
    # Mean and deviation of the colours are float32 in the module.
    assert float(dists.double()(reference, video)) == pytest.approx(expected, rel=1e-6)


def test_the_pooling_is_a_weighed_root_mean_square():
    maps = draw(1, 2, 5, 6)
    hann = np.outer([1, 2, 1], [1, 2, 1]) / 16
    expected = [np.sqrt(correlate(x.numpy() ** 2, hann, mode="constant")[::2, ::2] + 1e-12) for x in maps[0]]
    assert L2Pool()(maps)[0].numpy() == pytest.approx(np.stack(expected), rel=1e-12)


def test_the_layers_have_the_names_and_shapes_of_torchvision_and_the_weights_those_of_dists():
    network = DISTS(FULL, torch.ones(1475), torch.ones(1475))
    found = {name: tuple(tensor.shape) for name, tensor in network.named_parameters()}
    inputs, expected = 3, {}
    for number, outputs in zip(NUMBERS, FULL, strict=True):
        expected[f"features.{number}.weight"] = (outputs, inputs, 3, 3)
        expected[f"features.{number}.bias"] = (outputs,)
        inputs = outputs
    assert found == expected


def test_the_weights_are_those_of_the_file_frozen_and_in_float32(weights, written):
    path = written({name: tensor.half() for name, tensor in weights.items()})
    network = read_dists(path, sha256=sha256(path).upper())
    for name, tensor in network.named_parameters():
        assert torch.equal(tensor, weights[name].half().float())
        assert not tensor.requires_grad
    assert float(network.alpha.sum() + network.beta.sum()) == pytest.approx(1, rel=1e-6)


def test_equal_videos_have_no_distance_and_neither_is_favoured(dists):
    one, other = draw(1, 3, 2, 32, 32).float(), draw(1, 3, 2, 32, 32, seed=1).float()
    # The weights add up to 1 but for the rounding of float32.
    assert float(dists(one, one.clone())) == pytest.approx(0, abs=1e-5)
    assert float(dists(one, other)) == pytest.approx(float(dists(other, one)), rel=1e-5)


def test_small_frames_and_empty_videos_are_refused(dists):
    for shape in ((1, 3, 1, 31, 40), (1, 3, 0, 40, 40)):
        with pytest.raises(ShapeError, match="at least 32 rows and columns"):
            dists(torch.zeros(shape), torch.zeros(shape))


def test_another_file_is_refused(weights, written, tmp_path):
    path = written(weights)
    with pytest.raises(CheckpointError, match=f"has SHA-256 {sha256(path)}, and {'0' * 64} is expected"):
        read_dists(path, sha256="0" * 64)
    with pytest.raises(CheckpointError, match="is not a file; DISTS needs the weights"):
        read_dists(tmp_path / "absent.safetensors", sha256="0" * 64)
    other = path.rename(tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match="can execute code"):
        read_dists(other, sha256=sha256(other))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\xff" * 40)
    with pytest.raises(CheckpointError, match="is damaged"):
        read_dists(damaged, sha256=sha256(damaged))


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("alpha", None, r"lacks \['alpha'\]"),
        ("lin0", torch.zeros(1), r"has \['lin0'\]"),
        ("alpha", torch.zeros(1, 22, 1, 1), r"alpha in .* is \(1, 22, 1, 1\); .* must be \(1, 23, 1, 1\)"),
        ("beta", torch.full((1, 23, 1, 1), -1.0), "negative or all zero"),
        ("features.5.weight", torch.zeros(3, 2, 3, 3), r"must be \(3, 3, 3, 3\)"),
        ("features.5.bias", torch.full((3,), torch.nan), "not a finite number"),
        ("features.5.bias", torch.zeros(3, dtype=torch.int64), "not a finite number"),
    ],
)
def test_what_are_no_weights_of_dists_is_refused(weights, written, name, tensor, message):
    changed = {key: each for key, each in (weights | {name: tensor}).items() if each is not None}
    path = written(changed)
    with pytest.raises(CheckpointError, match=message):
        read_dists(path, sha256=sha256(path))


def test_weights_for_other_channels_are_refused():
    with pytest.raises(ShapeError, match="there are 5 and 5 weights for 23 channels"):
        DISTS(TINY, torch.ones(5), torch.ones(5))
