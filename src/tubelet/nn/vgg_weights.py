"""Weights of networks on VGG-16, from a file of the user whose SHA-256 is known."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as parse
from torch import Tensor

from tubelet.errors import CheckpointError
from tubelet.nn.vgg import STAGES

_MOST_BYTES = 1 << 28
"""Four times what VGG-16 has in float32."""


class VGGFile:
    """The tensors of a file: the trunk by torchvision's names, and others beside it.

    Args:
        path: a .safetensors file.
        sha256: of the whole file, 64 hexadecimal digits.
        extra: names beside those of the trunk; the file holds all of them and nothing else.
        network: whose weights they are, for messages.
        sources: how to make the file, for messages.

    Attributes:
        weights: the tensors, by name; finite floating-point numbers.
        channels: output channels of every convolution, each of which is the input of the next.

    Raises:
        CheckpointError: the file is missing, too large, no .safetensors file, has another SHA-256, or other
            tensors than these.
    """

    def __init__(self, path: Path, *, sha256: str, extra: set[str], network: str, sources: str) -> None:
        self._path = path
        self._sources = sources
        self.weights: Mapping[str, Tensor] = self._read(sha256, network)
        layers = [f"features.{number}" for stage in STAGES for number in stage]
        names = {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")} | extra
        if self.weights.keys() != names:
            missing, unknown = (
                sorted(names - self.weights.keys()),
                sorted(self.weights.keys() - names),
            )
            raise CheckpointError(
                f"{path} lacks {missing[:3]} and has {unknown[:3]} beyond what {network} knows. {sources}"
            )
        for name, tensor in self.weights.items():
            if not (tensor.is_floating_point() and bool(tensor.isfinite().all())):
                raise CheckpointError(f"{name} in {path} holds what is no finite number. {sources}")
        self.channels = self._check_trunk(layers)

    def trunk(self) -> dict[str, Tensor]:
        """The tensors of the trunk, in float32."""
        return {name: each.float() for name, each in self.weights.items() if name.startswith("features.")}

    def expect(self, name: str, shape: tuple[int, ...]) -> None:
        """Compare one shape; a side of zero is none.

        Raises:
            CheckpointError: it is another.
        """
        found = tuple(self.weights[name].shape)
        if found != shape or 0 in shape:
            raise CheckpointError(
                f"{name} in {self._path} is {found}; beside the layers before it, it must be {shape} and not "
                f"empty. {self._sources}"
            )

    def _read(self, sha256: str, network: str) -> dict[str, Tensor]:
        """The tensors of the file, whose bytes are the expected ones."""
        path, sources = self._path, self._sources
        if path.suffix != ".safetensors":
            raise CheckpointError(
                f"{path} is no .safetensors file, and others are not read: a .pth or .pt file can execute "
                f"code. {sources}"
            )
        if not path.is_file():
            raise CheckpointError(f"{path} is no file; {network} needs the weights of VGG-16. {sources}")
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise CheckpointError(f"{path} has {size} bytes; at most {_MOST_BYTES} are read. {sources}")
        data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != sha256.lower():
            raise CheckpointError(
                f"{path} has SHA-256 {found}, and {sha256} is expected. Give the file that was meant, or, if "
                "you made this one anew and trust it, its SHA-256."
            )
        try:
            return parse(data)
        except (SafetensorError, KeyError, ValueError) as error:
            raise CheckpointError(f"{path} is damaged: {error}. {sources}") from error

    def _check_trunk(self, layers: list[str]) -> list[int]:
        channels: list[int] = []
        for layer in layers:
            inputs = channels[-1] if channels else 3
            outputs = self.weights[f"{layer}.bias"].numel()
            self.expect(f"{layer}.bias", (outputs,))
            self.expect(f"{layer}.weight", (outputs, inputs, 3, 3))
            channels.append(outputs)
        return channels
