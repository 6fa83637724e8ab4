"""The weights of `LPIPS`, from a file of the user; tubelet holds none and fetches none.

Make the file once, wherever torch and safetensors are:

1. ``vgg16-397923af.pth`` is the trunk, from the model zoo of torchvision
   (https://download.pytorch.org/models/vgg16-397923af.pth).
2. ``lpips/weights/v0.1/vgg.pth`` are the heads, from https://github.com/richzhang/PerceptualSimilarity or
   inside the Python package ``lpips``.
3. Read both with the loader of torch, ``weights_only=True``. Keep the names of the first that begin with
   ``features.``, add those of the second (``lin0.model.1.weight`` to ``lin4.model.1.weight``), and write them
   with ``safetensors.torch.save_file``.
4. Note the SHA-256 of the result (``sha256sum``), beside the recipe that uses it.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from torch import Tensor, nn

from tubelet.errors import CheckpointError
from tubelet.losses.perceptual import LPIPS, STAGES, VGG16

_MOST_BYTES = 1 << 28
"""Four times what VGG-16 has in float32."""

_SOURCES = (
    "Make the file from torchvision's vgg16-397923af.pth and vgg.pth of the Python package lpips, as "
    "tubelet.losses.perceptual_weights explains; nothing stands in for it."
)


def read_lpips(path: Path, *, sha256: str) -> LPIPS:
    """Read the network of LPIPS from a .safetensors file; the numbers of channels are those in the file.

    It is frozen, in float32 and on the CPU. The module says how to make the file.

    Args:
        path: holds ``features.N.weight`` and ``features.N.bias`` of the 13 convolutions of VGG-16, and the
            five ``linK.model.1.weight``, each 1 x channels x 1 x 1; nothing else.
        sha256: of the whole file, 64 hexadecimal digits.

    Raises:
        CheckpointError: the file is missing, too large, no .safetensors file, has another SHA-256, or its
            tensors are not those of LPIPS on VGG-16.
    """
    weights = _read(path, sha256)
    names = {name for conv in _convolutions() for name in conv} | set(_heads())
    if weights.keys() != names:
        missing, unknown = sorted(names - weights.keys()), sorted(weights.keys() - names)
        raise CheckpointError(
            f"{path} lacks {missing[:3]} and has {unknown[:3]} beyond what LPIPS on VGG-16 knows. {_SOURCES}"
        )
    for name, tensor in weights.items():
        if not (tensor.is_floating_point() and bool(tensor.isfinite().all())):
            raise CheckpointError(f"{name} in {path} holds what is no finite number. {_SOURCES}")
    channels = _check_shapes(weights, path)
    with torch.device("meta"):
        trunk = VGG16(channels)
    trunk.load_state_dict(
        {name: each.float() for name, each in weights.items() if name.startswith("features.")}, assign=True
    )
    return LPIPS(trunk, [nn.Parameter(weights[name].float().flatten()) for name in _heads()])


def _read(path: Path, sha256: str) -> dict[str, Tensor]:
    """The tensors of a file whose bytes are the expected ones."""
    if path.suffix != ".safetensors":
        raise CheckpointError(
            f"{path} is no .safetensors file, and others are not read: a .pth or .pt file can execute code. "
            f"{_SOURCES}"
        )
    if not path.is_file():
        raise CheckpointError(f"{path} is no file; LPIPS needs the weights of VGG-16. {_SOURCES}")
    if (size := path.stat().st_size) > _MOST_BYTES:
        raise CheckpointError(f"{path} has {size} bytes; at most {_MOST_BYTES} are read. {_SOURCES}")
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256.lower():
        raise CheckpointError(
            f"{path} has SHA-256 {found}, and {sha256} is expected. Give the file that was meant, or, if you "
            "made this one anew and trust it, its SHA-256."
        )
    try:
        return parse(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}. {_SOURCES}") from error


def _convolutions() -> list[tuple[str, str]]:
    """Weight and bias of every convolution, in order."""
    return [(f"features.{n}.weight", f"features.{n}.bias") for stage in STAGES for n in stage]


def _heads() -> list[str]:
    """The heads of the stages, in order."""
    return [f"lin{stage}.model.1.weight" for stage in range(len(STAGES))]


def _check_shapes(weights: Mapping[str, Tensor], path: Path) -> list[int]:
    """The output channels of every convolution, each of which must be the input of the next."""
    channels: list[int] = []
    inputs = 3
    for weight, bias in _convolutions():
        outputs = weights[bias].numel()
        _expect(weights, bias, (outputs,), path)
        _expect(weights, weight, (outputs, inputs, 3, 3), path)
        channels.append(outputs)
        inputs = outputs
    done = 0
    for stage, name in zip(STAGES, _heads(), strict=True):
        done += len(stage)
        _expect(weights, name, (1, channels[done - 1], 1, 1), path)
        if bool((weights[name] < 0).any()):
            raise CheckpointError(f"{name} in {path} is negative; a distance has no such weight. {_SOURCES}")
    return channels


def _expect(weights: Mapping[str, Tensor], name: str, shape: tuple[int, ...], path: Path) -> None:
    """Compare one shape; a side of zero is none."""
    found = tuple(weights[name].shape)
    if found != shape or 0 in shape:
        raise CheckpointError(
            f"{name} in {path} is {found}; beside the layers before it, it must be {shape} and not empty. "
            f"{_SOURCES}"
        )
