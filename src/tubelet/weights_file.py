"""Weights in a .safetensors file, read once its head says that they are those of the model and no others.

A large matrix takes one byte a number where that loses nothing (`tubelet.eight_bits`): beside its integers
the file holds their exponents, under the name of the matrix and ``.exponents``. Other matrices take two, as
bfloat16, where that loses nothing.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor, nn

from tubelet.eight_bits import Packed, exponents_shape, is_worth_packing, pack, round_to_eight_bits, unpack
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

_PACKED = "I8"
_MAY_BE_PACKED = (torch.float32, torch.float64)


@torch.no_grad()
def round_for_storage(network: nn.Module) -> None:
    """Let every weight be one that takes a byte, or two: the network computes the same in bfloat16 then."""
    for weights in network.parameters():
        packed = is_worth_packing(weights)
        weights.copy_(round_to_eight_bits(weights) if packed else weights.to(torch.bfloat16))


def weights_to_bytes(weights: Mapping[str, Tensor]) -> bytes:
    """The content of a file that holds some weights, in as few bytes as loses nothing."""
    stored: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        packed = pack(tensor) if tensor.dtype == torch.float32 and is_worth_packing(tensor) else None
        if packed is None:
            stored[name] = _narrowed(tensor)
        else:
            stored[name], stored[_exponents_of(name)] = packed
    return tensors_to_bytes(stored)


def read_weights(path: Path, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read the weights of a model.

    Args:
        path: a .safetensors file.
        wanted: the tensors of the model, by name; only their shapes and types count, so they may be on the
            device ``meta``.

    Returns:
        The tensors, by name, those in bfloat16 as they are; they may be the file itself, mapped into memory.
        Those of eight bits a number are float32 again.

    Raises:
        CheckpointError: the file cannot be read; it holds other tensors, or of other shapes and types, which
            is found before memory is asked for; or a number in it is not finite.
    """
    try:
        described = _head(path)
        _compare(described, wanted)
        with utf8_path(path) as named:
            stored = load_file(named)
        weights = {name: _unpacked(stored, name) for name in wanted}
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


def _unpacked(stored: Mapping[str, Tensor], name: str) -> Tensor:
    exponents = stored.get(_exponents_of(name))
    return stored[name] if exponents is None else unpack(Packed(stored[name], exponents))


def _narrowed(tensor: Tensor) -> Tensor:
    """A tensor of float32 as bfloat16, if that loses nothing: half the bytes on disk."""
    half = tensor.to(torch.bfloat16)
    exact = tensor.dtype == torch.float32 and tensor.ndim > 1 and torch.equal(half.to(torch.float32), tensor)
    return half if exact else tensor


def _is_packed(description: Mapping[str, Any], tensor: Tensor) -> bool:
    """Whether a file has a matrix of a model in eight bits a number."""
    return description["dtype"] == _PACKED and tensor.ndim == 2 and tensor.dtype in _MAY_BE_PACKED


def _exponents_of(name: str) -> str:
    return f"{name}.exponents"


def _compare(described: dict[str, Any], wanted: Mapping[str, Tensor]) -> None:
    """Raise unless names, shapes and types are those of the model."""
    shared = wanted.keys() & described.keys()
    packed = {name for name in shared if _is_packed(described[name], wanted[name])}
    expected = wanted.keys() | {_exponents_of(name) for name in packed}
    if described.keys() != expected:
        missing, unknown = sorted(expected - described.keys()), sorted(described.keys() - expected)
        raise ValueError(
            f"it lacks {json.dumps(missing[:3])} and has {json.dumps(unknown[:3])[:200]}, which no model of "
            "this configuration has"
        )
    for name, tensor in wanted.items():
        kind, shape = described[name]["dtype"], described[name]["shape"]
        if name in packed:
            beside = described[_exponents_of(name)]
            right = (beside["dtype"], beside["shape"]) == (_PACKED, list(exponents_shape(*tensor.shape)))
        else:
            right = kind in _NAMES[tensor.dtype]
        if shape != list(tensor.shape) or not right:
            raise ValueError(
                f"size mismatch: {name} is {kind!s:.20} of shape {shape!s:.80}; the model has "
                f"{tensor.dtype} of {list(tensor.shape)}"
            )
    kinds = {each["dtype"] for each in described.values()}
    if "F64" in kinds and kinds & {"F32", "BF16", _PACKED}:
        raise ValueError(f"its tensors are {', '.join(sorted(kinds))}; those of one model are alike")
