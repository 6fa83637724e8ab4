"""The weights of `DISTS`, from a file of the user; tubelet holds none and fetches none.

Make the file once, wherever torch and safetensors are:

1. ``vgg16-397923af.pth`` is the trunk, from the model zoo of torchvision
   (https://download.pytorch.org/models/vgg16-397923af.pth).
2. ``alpha`` and ``beta`` are in ``weights.pt`` of https://github.com/dingkeyan93/DISTS, or in
   ``dists_weights.pt`` of release v0.4.1 of https://github.com/photosynthesis-team/piq.
3. Read both with the loader of torch, ``weights_only=True``. Keep the names of the first that begin with
   ``features.``, add ``alpha`` and ``beta``, and write them with ``safetensors.torch.save_file``.
4. Note the SHA-256 of the result (``sha256sum``), beside the protocol that uses it.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as parse
from torch import Tensor

from tubelet.errors import CheckpointError
from tubelet.metrics.dists import DISTS, STAGES

_MOST_BYTES = 1 << 28
"""Four times what VGG-16 has in float32."""

_SOURCES = (
    "Make the file from torchvision's vgg16-397923af.pth and the weights of DISTS, as "
    "tubelet.metrics.dists_weights explains; nothing stands in for it."
)


def read_dists(path: Path, *, sha256: str) -> DISTS:
    """Read the network of DISTS from a .safetensors file; the numbers of channels are those in the file.

    It is frozen, in float32 and on the CPU. The module says how to make the file.

    Args:
        path: holds ``features.N.weight`` and ``features.N.bias`` of the 13 convolutions of VGG-16, and
            ``alpha`` and ``beta``, each 1 x channels x 1 x 1; nothing else.
        sha256: of the whole file, 64 hexadecimal digits.

    Raises:
        CheckpointError: the file is missing, too large, no .safetensors file, has another SHA-256, or its
            tensors are not those of DISTS.
    """
    weights = _read(path, sha256)
    layers = [f"features.{n}" for stage in STAGES for n in stage]
    names = {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")} | {"alpha", "beta"}
    if weights.keys() != names:
        missing, unknown = sorted(names - weights.keys()), sorted(weights.keys() - names)
        raise CheckpointError(
            f"{path} lacks {missing[:3]} and has {unknown[:3]} beyond what DISTS knows. {_SOURCES}"
        )
    for name, tensor in weights.items():
        if not (tensor.is_floating_point() and bool(tensor.isfinite().all())):
            raise CheckpointError(f"{name} in {path} holds what is no finite number. {_SOURCES}")
    channels = _check_shapes(weights, layers, path)
    alpha, beta = (weights[name].float().flatten() for name in ("alpha", "beta"))
    if bool((alpha < 0).any() or (beta < 0).any()) or not float(alpha.sum() + beta.sum()) > 0:
        raise CheckpointError(
            f"alpha or beta in {path} are negative or all zero; a distance has no such weights. {_SOURCES}"
        )
    network = DISTS(channels, alpha, beta).eval()
    trunk = {name: tensor.float() for name, tensor in weights.items() if name.startswith("features.")}
    network.load_state_dict(network.state_dict() | trunk)
    return network


def _read(path: Path, sha256: str) -> dict[str, Tensor]:
    """The tensors of a file whose bytes are the expected ones."""
    if path.suffix != ".safetensors":
        raise CheckpointError(
            f"{path} is no .safetensors file, and others are not read: a .pth or .pt file can execute code. "
            f"{_SOURCES}"
        )
    if not path.is_file():
        raise CheckpointError(f"{path} is no file; DISTS needs the weights of VGG-16. {_SOURCES}")
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


def _check_shapes(weights: Mapping[str, Tensor], layers: list[str], path: Path) -> list[int]:
    """The output channels of every convolution, each of which must be the input of the next."""
    channels: list[int] = []
    for layer in layers:
        inputs = channels[-1] if channels else 3
        outputs = weights[f"{layer}.bias"].numel()
        _expect(weights, f"{layer}.bias", (outputs,), path)
        _expect(weights, f"{layer}.weight", (outputs, inputs, 3, 3), path)
        channels.append(outputs)
    ends = [sum(map(len, STAGES[: stage + 1])) - 1 for stage in range(len(STAGES))]
    features = 3 + sum(channels[end] for end in ends)
    for name in ("alpha", "beta"):
        _expect(weights, name, (1, features, 1, 1), path)
    return channels


def _expect(weights: Mapping[str, Tensor], name: str, shape: tuple[int, ...], path: Path) -> None:
    """Compare one shape; a side of zero is none."""
    found = tuple(weights[name].shape)
    if found != shape or 0 in shape:
        raise CheckpointError(
            f"{name} in {path} is {found}; beside the layers before it, it must be {shape} and not empty. "
            f"{_SOURCES}"
        )
