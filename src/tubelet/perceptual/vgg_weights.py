"""Weights of networks on VGG-16, from a file of the user whose SHA-256 is known."""

from pathlib import Path

from torch import Tensor

from tubelet.perceptual.network_file import NetworkFile
from tubelet.perceptual.vgg import STAGES

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
        self._file = NetworkFile(
            path, sha256=sha256, network=network, sources=sources, most_bytes=_MOST_BYTES
        )
        layers = [f"features.{number}" for stage in STAGES for number in stage]
        self._file.require({f"{layer}.{part}" for layer in layers for part in ("weight", "bias")} | extra)
        self.weights = self._file.weights
        self.channels = self._check_trunk(layers)

    def trunk(self) -> dict[str, Tensor]:
        """The tensors of the trunk, in float32."""
        return {name: each.float() for name, each in self.weights.items() if name.startswith("features.")}

    def expect(self, name: str, shape: tuple[int, ...]) -> None:
        """Compare one shape; a side of zero is none.

        Raises:
            CheckpointError: it is another.
        """
        self._file.expect(name, shape)

    def _check_trunk(self, layers: list[str]) -> list[int]:
        channels: list[int] = []
        for layer in layers:
            inputs = channels[-1] if channels else 3
            outputs = self.weights[f"{layer}.bias"].numel()
            self.expect(f"{layer}.bias", (outputs,))
            self.expect(f"{layer}.weight", (outputs, inputs, 3, 3))
            channels.append(outputs)
        return channels
