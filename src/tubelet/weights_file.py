"""Weights in a .safetensors file, read once its head says that they are those of the model and no others."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tubelet.errors import CheckpointError
from tubelet.files.names import utf8_path
from tubelet.json_text import text_to_json

_HEAD_BYTES = 1 << 24
_NAMES = {
    torch.float32: ("F32", "BF16", "F64"),
    torch.float64: ("F32", "BF16", "F64"),
    torch.bfloat16: ("BF16",),
    torch.float16: ("F16",),
    torch.int64: ("I64",),
    torch.int32: ("I32",),
    torch.int16: ("I16",),
    torch.uint8: ("U8",),
    torch.bool: ("BOOL",),
}
"""What a tensor may be stored as, by its type in the model: bfloat16 is half the bytes of some float32, and a
model that computes in float64 is made as one of float32."""


def read_weights(path: Path, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read the weights of a model.

    Args:
        path: a .safetensors file.
        wanted: the tensors of the model, by name; only their shapes and types count, so they may be on the
            device ``meta``.

    Returns:
        The tensors, by name, those in bfloat16 as they are; they may be the file itself, mapped into memory.

    Raises:
        CheckpointError: the file cannot be read; it holds other tensors, or of other shapes and types, which
            is found before memory is asked for; or a number in it is not finite.
    """
    try:
        described = _head(path)
        _compare(described, wanted)
        with utf8_path(path) as named:
            weights = load_file(named)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"the weights in {path} cannot be used: {error!s:.300}. Fetch them again."
        ) from error
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise CheckpointError(
                f"{name} in {path} holds what is not a finite number. Fetch the weights again."
            )
    return weights


def _head(path: Path) -> dict[str, Any]:
    """What the head of a file says of each tensor."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, _HEAD_BYTES):
            raise ValueError(
                f"its head claims {length} bytes; the file has {size}, and {_HEAD_BYTES} are read"
            )
        head = text_to_json(file.read(length).decode("utf-8"))
    if not isinstance(head, dict):
        raise TypeError(f"its head is {head!r:.80}, no object")
    head.pop("__metadata__", None)
    return head


def _compare(described: dict[str, Any], wanted: Mapping[str, Tensor]) -> None:
    """Raise unless names, shapes and types are those of the model."""
    if described.keys() != wanted.keys():
        missing, unknown = sorted(wanted.keys() - described.keys()), sorted(described.keys() - wanted.keys())
        raise ValueError(
            f"it lacks {json.dumps(missing[:3])} and has {json.dumps(unknown[:3])[:200]}, which no model of "
            "this configuration has"
        )
    for name, tensor in wanted.items():
        kind, shape = described[name]["dtype"], described[name]["shape"]
        if shape != list(tensor.shape) or kind not in _NAMES[tensor.dtype]:
            raise ValueError(
                f"size mismatch: {name} is {kind!s:.20} of shape {shape!s:.80}; the model has "
                f"{tensor.dtype} of {list(tensor.shape)}"
            )
    kinds = {each["dtype"] for each in described.values()}
    if "F64" in kinds and kinds & {"F32", "BF16"}:
        raise ValueError(f"its tensors are {', '.join(sorted(kinds))}; those of one model are alike")
