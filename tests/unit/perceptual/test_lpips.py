import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from tubelet.errors import CheckpointError, ShapeError
from tubelet.perceptual.lpips import LPIPS
from tubelet.perceptual.lpips_weights import read_lpips
from tubelet.perceptual.vgg import VGG16

NUMBERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
TINY = (2, 3, 3, 4, 4, 5, 4, 5, 4, 6, 5, 4, 3)
LAST = (1, 3, 6, 9, 12)
FULL = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def weights(draw) -> dict[str, torch.Tensor]:
    """The layers of VGG-16 and the heads of LPIPS by their published names, with very few channels."""
    made, inputs = {}, 3
    for seed, (number, outputs) in enumerate(zip(NUMBERS, TINY, strict=True)):
        weight = draw(outputs, inputs, 3, 3, seed=seed, dtype=torch.float32)
        made[f"features.{number}.weight"] = weight / inputs**0.5
        made[f"features.{number}.bias"] = 0.3 + draw(outputs, seed=50 + seed, dtype=torch.float32)
        inputs = outputs
    for stage, layer in enumerate(LAST):
        made[f"lin{stage}.model.1.weight"] = draw(1, TINY[layer], 1, 1, seed=stage, dtype=torch.float32).abs()
    return made


@pytest.fixture
def lpips(weights, written) -> LPIPS:
    path = written(weights)
    return read_lpips(path, sha256=sha256(path))


def slow_conv(maps: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    _, height, width = maps.shape
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
    out = np.zeros((len(weight), height, width))
    for c in range(len(weight)):
        for y in range(height):
            for x in range(width):
                out[c, y, x] = (padded[:, y : y + 3, x : x + 3] * weight[c]).sum() + bias[c]
    return out


def slow_pool(maps: np.ndarray) -> np.ndarray:
    channels, height, width = maps.shape
    out = np.zeros((channels, height // 2, width // 2))
    for y in range(height // 2):
        for x in range(width // 2):
            out[:, y, x] = maps[:, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].max(axis=(1, 2))
    return out


def slow_features(frame: np.ndarray, weights: dict[str, np.ndarray]) -> list[np.ndarray]:
    maps = np.stack([(frame[c] - (-0.030, -0.088, -0.188)[c]) / (0.458, 0.448, 0.450)[c] for c in range(3)])
    found = []
    for layer in range(31):
        if layer in (4, 9, 16, 23):
            maps = slow_pool(maps)
        if layer in NUMBERS:
            conv = slow_conv(maps, weights[f"features.{layer}.weight"], weights[f"features.{layer}.bias"])
            maps = np.maximum(conv, 0)
        if layer in (3, 8, 15, 22, 29):
            found.append(maps)
    return found


def slow_lpips(reference: np.ndarray, frame: np.ndarray, weights: dict[str, np.ndarray]) -> float:
    total = 0.0
    pairs = zip(slow_features(reference, weights), slow_features(frame, weights), strict=True)
    for stage, (one, other) in enumerate(pairs):
        head = weights[f"lin{stage}.model.1.weight"][0, :, 0, 0]
        _, height, width = one.shape
        for y in range(height):
            for x in range(width):
                a = one[:, y, x] / (np.sqrt((one[:, y, x] ** 2).sum()) + 1e-10)
                b = other[:, y, x] / (np.sqrt((other[:, y, x] ** 2).sum()) + 1e-10)
                total += (head * (a - b) ** 2).sum() / (height * width)
    return total


def test_it_is_the_published_distance_written_out_in_loops(weights, lpips, draw):
    reference, video = draw(2, 3, 2, 16, 19), draw(2, 3, 2, 16, 19, seed=1)
    arrays = {name: tensor.double().numpy() for name, tensor in weights.items()}
    expected = np.mean(
        [
            slow_lpips(reference[clip, :, t].numpy(), video[clip, :, t].numpy(), arrays)
            for clip in range(2)
            for t in range(2)
        ]
    )
    assert expected > 1e-3
    assert float(lpips(reference.float(), video.float())) == pytest.approx(expected, rel=1e-4)
    assert float(lpips.double()(reference, video)) == pytest.approx(expected, rel=1e-6)


def test_the_layers_have_the_names_and_shapes_of_torchvision():
    with torch.device("meta"):
        found = {name: tuple(tensor.shape) for name, tensor in VGG16(FULL).state_dict().items()}
    inputs, expected = 3, {}
    for number, outputs in zip(NUMBERS, FULL, strict=True):
        expected[f"features.{number}.weight"] = (outputs, inputs, 3, 3)
        expected[f"features.{number}.bias"] = (outputs,)
        inputs = outputs
    assert found == expected


def test_the_weights_are_those_of_the_file_frozen_and_in_float32(weights, written):
    path = written({name: tensor.half() for name, tensor in weights.items()})
    network = read_lpips(path, sha256=sha256(path).upper())
    for name, tensor in network.trunk.state_dict().items():
        assert torch.equal(tensor, weights[name].half().float())
    assert not any(weight.requires_grad for weight in network.parameters())


def test_equal_videos_have_no_distance(lpips, draw):
    video = draw(1, 3, 2, 16, 16, dtype=torch.float32)
    assert float(lpips(video, video.clone())) == 0


def test_the_gradient_is_that_of_finite_differences(lpips, draw):
    reference, video = draw(1, 3, 1, 16, 16), draw(1, 3, 1, 16, 16, seed=1).requires_grad_()
    network = lpips.double()
    assert torch.autograd.gradcheck(lambda x: network(reference, x), (video,), fast_mode=True)


def test_the_reference_gets_no_gradient(lpips, draw):
    reference = draw(1, 3, 1, 16, 16, dtype=torch.float32).requires_grad_()
    video = draw(1, 3, 1, 16, 16, seed=1, dtype=torch.float32).requires_grad_()
    lpips(reference, video).backward()
    assert reference.grad is None
    assert video.grad.abs().sum() > 0


def test_positions_without_any_feature_have_a_finite_gradient(weights, written, draw):
    dead = {name: tensor - 10 if name == "features.2.bias" else tensor for name, tensor in weights.items()}
    path = written(dead)
    video = draw(1, 3, 1, 16, 16, dtype=torch.float32).requires_grad_()
    read_lpips(path, sha256=sha256(path))(
        draw(1, 3, 1, 16, 16, seed=1, dtype=torch.float32), video
    ).backward()
    assert video.grad.isfinite().all()


def test_autocast_changes_nothing(lpips, draw):
    videos = [draw(1, 3, 2, 16, 16, seed=seed, dtype=torch.bfloat16) for seed in range(2)]
    expected = lpips(*(video.float() for video in videos))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = lpips(*videos)
    assert found.dtype == torch.float32
    assert found == expected


def test_frames_below_sixteen_pixels_are_refused(lpips, draw):
    small = draw(1, 3, 1, 15, 32, dtype=torch.float32)
    with pytest.raises(ShapeError, match="32x15 pixels; LPIPS on VGG-16 needs at least 16"):
        lpips(small, small)


def test_another_hash_is_refused_and_both_are_named(weights, written):
    path = written(weights)
    with pytest.raises(CheckpointError, match=f"{sha256(path)}, and {'0' * 64} is expected"):
        read_lpips(path, sha256="0" * 64)


def test_a_missing_file_is_refused_with_where_to_get_it(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"is not a file; .*vgg16-397923af.pth .*nothing stands in for it"
    ):
        read_lpips(tmp_path / "vgg.safetensors", sha256="0" * 64)


def test_a_pth_file_is_refused_with_the_cure(weights, tmp_path):
    path = tmp_path / "vgg.pth"
    torch.save(weights, path)
    with pytest.raises(
        CheckpointError, match=r"vgg.pth is not a .safetensors file.*can execute code.*Make the file"
    ):
        read_lpips(path, sha256=sha256(path))


def test_a_pth_file_under_another_name_is_not_executed_either(weights, tmp_path):
    path = tmp_path / "vgg.safetensors"
    torch.save(weights, path)
    with pytest.raises(CheckpointError, match="is damaged"):
        read_lpips(path, sha256=sha256(path))


def test_a_file_beyond_any_vgg_is_not_read(tmp_path):
    path = tmp_path / "vgg.safetensors"
    with path.open("wb") as file:
        file.truncate((1 << 28) + 1)
    with pytest.raises(CheckpointError, match="268435457 bytes; at most 268435456"):
        read_lpips(path, sha256="0" * 64)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("features.7.weight", lambda w: w[:, :2], r"features.7.weight in .* is \(4, 2, 3, 3\)"),
        ("features.7.weight", lambda w: w[:3], r"must be \(4, 3, 3, 3\)"),
        ("features.7.weight", lambda w: w[..., :1], r"is \(4, 3, 3, 1\)"),
        ("features.7.weight", lambda w: w.flatten(), r"is \(108,\)"),
        ("features.28.bias", lambda w: w[:0], "not empty"),
        ("features.28.bias", lambda w: w[None], r"is \(1, 3\)"),
        ("lin2.model.1.weight", lambda w: w[:, :3], r"must be \(1, 4, 1, 1\)"),
        ("lin4.model.1.weight", lambda w: -w, "lin4.model.1.weight in .* is negative"),
        ("features.0.bias", lambda w: w * float("nan"), "features.0.bias in .* not a finite number"),
        ("features.0.bias", lambda w: w.int(), "features.0.bias in .* not a finite number"),
        ("lin0.model.1.weight", lambda w: None, r"lacks \['lin0.model.1.weight'\] and has \[\]"),
        ("classifier.0.weight", lambda w: torch.ones(1), r"lacks \[\] and has \['classifier.0.weight'\]"),
    ],
)
def test_tensors_that_are_not_those_of_the_network_are_refused(name, change, message, weights, written):
    changed = change(weights.get(name))
    tampered = {key: tensor for key, tensor in weights.items() if key != name}
    path = written(tampered if changed is None else tampered | {name: changed})
    with pytest.raises(CheckpointError, match=message):
        read_lpips(path, sha256=sha256(path))


def test_a_layer_without_channels_is_refused(weights, written):
    empty = {name: weights[name][:0] for name in ("features.28.weight", "features.28.bias")}
    path = written(weights | empty | {"lin4.model.1.weight": weights["lin4.model.1.weight"][:, :0]})
    with pytest.raises(CheckpointError, match=r"features.28.bias in .* is \(0,\).* not empty"):
        read_lpips(path, sha256=sha256(path))
