"""Weights of a network in a .safetensors file of the user, whose SHA-256 is known."""

import hashlib
from collections.abc import Set
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tubelet.errors import CheckpointError
from tubelet.files.names import utf8_path


class NetworkFile:
    """The tensors of a file, once it is the file that was meant.

    Args:
        path: a .safetensors file.
        sha256: of the whole file, 64 hexadecimal digits.
        network: whose weights they are, for messages.
        sources: how to make the file, for messages.
        most_bytes: what the largest file has that is read.

    Attributes:
        weights: the tensors, by name. Where the file is in float32 they are the file itself, mapped into
            memory, so processes share it: it must stay as it is.

    Raises:
        CheckpointError: the file is missing, too large, no .safetensors file, or has another SHA-256.
    """

    def __init__(self, path: Path, *, sha256: str, network: str, sources: str, most_bytes: int) -> None:
        self._path = path
        self._network = network
        self._sources = sources
        if path.suffix != ".safetensors":
            raise CheckpointError(
                f"{path} is not a .safetensors file, and others are not read: a .pth or .pt file can execute "
                f"code. {sources}"
            )
        if not path.is_file():
            raise CheckpointError(f"{path} is not a file; {network} needs the weights in it. {sources}")
        if (size := path.stat().st_size) > most_bytes:
            raise CheckpointError(f"{path} has {size} bytes; at most {most_bytes} are read. {sources}")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256.lower():
            raise CheckpointError(
                f"{path} has SHA-256 {found}, and {sha256} is expected. Give the file that was meant, or, if "
                "you made this one yourself and trust it, its SHA-256."
            )
        try:
            with utf8_path(path) as readable:
                self.weights: dict[str, Tensor] = load_file(readable)
        except (SafetensorError, KeyError, ValueError) as error:
            raise CheckpointError(f"{path} is damaged: {error}. {sources}") from error

    def require(self, names: Set[str], *, unused: Set[str] = frozenset()) -> None:
        """Compare the names, and drop those that may be there and are not needed.

        Args:
            names: of all tensors; the file holds each of them.
            unused: of tensors that it may hold beside them.

        Raises:
            CheckpointError: one is missing or unknown, or holds what is not a finite number.
        """
        for name in unused & self.weights.keys():
            del self.weights[name]
        if self.weights.keys() != names:
            missing, unknown = (
                sorted(names - self.weights.keys()),
                sorted(self.weights.keys() - names),
            )
            raise CheckpointError(
                f"{self._path} lacks {missing[:3]} and has {unknown[:3]} beyond what {self._network} knows. "
                f"{self._sources}"
            )
        for name, tensor in self.weights.items():
            if not (tensor.is_floating_point() and bool(tensor.isfinite().all())):
                raise CheckpointError(
                    f"{name} in {self._path} holds what is not a finite number. {self._sources}"
                )

    def outputs(self, name: str) -> int:
        """The first side of a tensor, which for a layer is how many numbers it gives.

        Raises:
            CheckpointError: it has no numbers.
        """
        shape = tuple(self.weights[name].shape)
        if not shape or 0 in shape:
            raise CheckpointError(f"{name} in {self._path} is {shape}; it must not be empty. {self._sources}")
        return shape[0]

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
