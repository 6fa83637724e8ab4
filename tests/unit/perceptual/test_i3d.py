"""I3D against a second one, written from the paper and the rule of TensorFlow's padding.

By hand it was also compared with piergiaj/pytorch-i3d at full width, with random weights: equal in float64
for 16 frames; in float32 within 4e-6 of logits up to 19, for 9, 16 and 17 frames.
"""

import hashlib
from pathlib import Path

import pytest
import torch

from tubelet.errors import CheckpointError, ShapeError
from tubelet.metrics.frechet import VideoFeatures
from tubelet.perceptual.i3d import I3D, I3DWidths
from tubelet.perceptual.i3d_weights import read_i3d

FULL = I3DWidths(
    stem=(64, 64, 192),
    blocks={
        "3b": (64, 96, 128, 16, 32, 32),
        "3c": (128, 128, 192, 32, 96, 64),
        "4b": (192, 96, 208, 16, 48, 64),
        "4c": (160, 112, 224, 24, 64, 64),
        "4d": (128, 128, 256, 24, 64, 64),
        "4e": (112, 144, 288, 32, 64, 64),
        "4f": (256, 160, 320, 32, 128, 128),
        "5b": (256, 160, 320, 32, 128, 128),
        "5c": (384, 192, 384, 48, 128, 128),
    },
    classes=400,
)
NARROW = I3DWidths(
    stem=(2, 3, 4),
    blocks=dict.fromkeys(FULL.blocks, (1, 2, 3, 1, 2, 2)) | {"4c": (3, 1, 2, 2, 1, 1)},
    classes=5,
)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)).mul(2).sub(1)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Random weights of a narrow network, by their published names; means and variances are not neutral."""
    made = {}
    for seed, (name, tensor) in enumerate(I3D(NARROW).state_dict().items()):
        values = draw(*tensor.shape, seed=seed)
        made[name] = values * (3 / tensor[0].numel()) ** 0.5 if tensor.ndim == 5 else values / 3
        if name.endswith(("running_var", "bn.weight")):
            made[name] += 1
    return made


def padded(maps: torch.Tensor, size: int | tuple, step: int | tuple, fill: float) -> torch.Tensor:
    """Padding as TensorFlow documents SAME: by what is left of a length after whole steps."""
    for axis, reach, stride in zip((2, 3, 4), triple(size), triple(step), strict=True):
        rest = maps.shape[axis] % stride
        missing = max(reach - (rest if rest else stride), 0)
        for count, behind in ((missing // 2, False), (missing - missing // 2, True)):
            border = torch.full_like(maps.narrow(axis, 0, 1), fill).repeat_interleave(count, dim=axis)
            maps = torch.cat([maps, border] if behind else [border, maps], dim=axis)
    return maps


def triple(value: int | tuple) -> tuple:
    return value if isinstance(value, tuple) else (value,) * 3


def slow_unit(maps: torch.Tensor, weights: dict[str, torch.Tensor], name: str, step: int = 1) -> torch.Tensor:
    part = {key: weights[f"{name}.bn.{key}"] for key in ("weight", "bias", "running_mean", "running_var")}
    kernel = weights[f"{name}.conv3d.weight"]
    maps = torch.nn.functional.conv3d(padded(maps, kernel.shape[-1], step, 0), kernel, stride=step)
    mean, variance, gain, shift = (
        part[key][:, None, None, None] for key in ("running_mean", "running_var", "weight", "bias")
    )
    return ((maps - mean) / (variance + 0.001) ** 0.5 * gain + shift).clamp(min=0)


def slow_largest(maps: torch.Tensor, size: int | tuple, step: int | tuple) -> torch.Tensor:
    maps = padded(maps, size, step, -torch.inf)
    for axis, reach, stride in zip((2, 3, 4), triple(size), triple(step), strict=True):
        maps = maps.unfold(axis, reach, stride).amax(dim=-1)
    return maps


def slow_logits(video: torch.Tensor, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    def block(maps: torch.Tensor, name: str) -> torch.Tensor:
        def unit(maps: torch.Tensor, branch: str) -> torch.Tensor:
            return slow_unit(maps, weights, f"Mixed_{name}.{branch}")

        return torch.cat(
            [
                unit(maps, "b0"),
                unit(unit(maps, "b1a"), "b1b"),
                unit(unit(maps, "b2a"), "b2b"),
                unit(slow_largest(maps, 3, 1), "b3b"),
            ],
            dim=1,
        )

    maps = slow_largest(slow_unit(video, weights, "Conv3d_1a_7x7", step=2), (1, 3, 3), (1, 2, 2))
    maps = slow_unit(slow_unit(maps, weights, "Conv3d_2b_1x1"), weights, "Conv3d_2c_3x3")
    maps = slow_largest(maps, (1, 3, 3), (1, 2, 2))
    for name in ("3b", "3c"):
        maps = block(maps, name)
    maps = slow_largest(maps, 3, 2)
    for name in ("4b", "4c", "4d", "4e", "4f"):
        maps = block(maps, name)
    maps = slow_largest(maps, 2, 2)
    for name in ("5b", "5c"):
        maps = block(maps, name)
    kernel, bias = weights["logits.conv3d.weight"][:, :, 0, 0, 0], weights["logits.conv3d.bias"]
    steps = [maps[:, :, t : t + 2].mean(dim=(2, 3, 4)) @ kernel.T + bias for t in range(maps.shape[2] - 1)]
    return torch.stack(steps).mean(dim=0)


def test_it_is_the_published_network_written_out(weights, written):
    path = written(weights)
    network = read_i3d(path, sha256=sha256(path))
    assert isinstance(network, VideoFeatures)
    video = draw(1, 3, 17, 224, 224, seed=99)
    expected = slow_logits(video.double(), {name: each.double() for name, each in weights.items()})
    assert expected.std() > 0.05
    assert network(video)[0].tolist() == pytest.approx(expected[0].tolist(), abs=1e-5)


def test_maps_and_layers_have_the_published_shapes():
    assert I3D(NARROW).maps(torch.zeros(1, 3, 16, 224, 224)).shape == (1, 8, 2, 7, 7)
    with torch.device("meta"):
        network = I3D(FULL)
    found = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert len(found) == 57 * 5 + 2
    assert found["Conv3d_1a_7x7.conv3d.weight"] == (64, 3, 7, 7, 7)
    assert found["Mixed_4c.b1b.conv3d.weight"] == (224, 112, 3, 3, 3)
    assert found["Mixed_5c.b3b.bn.running_var"] == (128,)
    assert found["logits.conv3d.weight"] == (400, 1024, 1, 1, 1)


def test_the_weights_are_those_of_the_file_frozen_and_in_float32(weights, written):
    path = written({name: tensor.half() for name, tensor in weights.items()})
    network = read_i3d(path, sha256=sha256(path).upper())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, weights[name].half().float())
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_clips_that_are_too_short_are_refused(weights, written):
    path = written(weights)
    network = read_i3d(path, sha256=sha256(path))
    assert network(torch.zeros(2, 3, 9, 40, 60)).shape == (2, 5)
    for shape in ((1, 3, 8, 40, 40), (0, 3, 16, 40, 40)):
        with pytest.raises(ShapeError, match="at least 9 frames"):
            network(torch.zeros(shape))


def test_another_file_is_refused(weights, written, tmp_path):
    path = written(weights)
    with pytest.raises(CheckpointError, match=f"has SHA-256 {sha256(path)}, and {'0' * 64} is expected"):
        read_i3d(path, sha256="0" * 64)
    with pytest.raises(
        CheckpointError, match=r"is not a file; I3D .*i3d_pretrained_400.pt .*nothing stands in"
    ):
        read_i3d(tmp_path / "absent.safetensors", sha256="0" * 64)
    other = path.rename(tmp_path / "i3d_pretrained_400.pt")
    with pytest.raises(CheckpointError, match="can execute code"):
        read_i3d(other, sha256=sha256(other))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\xff" * 40)
    with pytest.raises(CheckpointError, match="is damaged"):
        read_i3d(damaged, sha256=sha256(damaged))


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("Mixed_3b.b0.bn.bias", None, r"lacks \['Mixed_3b.b0.bn.bias'\]"),
        ("Mixed_3b.b0.bn.num_batches_tracked", torch.zeros(1), "num_batches_tracked'] beyond what I3D knows"),
        (
            "Mixed_4b.b1b.conv3d.weight",
            torch.zeros(3, 2, 1, 1, 1),
            r"is \(3, 2, 1, 1, 1\); .* \(3, 2, 3, 3, 3\)",
        ),
        ("Conv3d_2b_1x1.conv3d.weight", torch.zeros(0, 2, 1, 1, 1), "must not be empty"),
        ("Mixed_5c.b2b.bn.running_var", torch.full((2,), torch.inf), "not a finite number"),
        ("logits.conv3d.bias", torch.zeros(6), r"logits.conv3d.weight in .* must be \(6, 8, 1, 1, 1\)"),
    ],
)
def test_what_are_no_weights_of_i3d_is_refused(weights, written, name, tensor, message):
    changed = {key: each for key, each in (weights | {name: tensor}).items() if each is not None}
    path = written(changed)
    with pytest.raises(CheckpointError, match=message):
        read_i3d(path, sha256=sha256(path))
