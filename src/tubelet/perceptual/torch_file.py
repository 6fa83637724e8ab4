"""Weights as others publish them (``.pth``, ``.pt``, ``.bin``, ``.safetensors``); nothing is executed.

torch has written two formats: since 1.6 a zip archive with a pickle and a file for each storage; before, five
pickles in a row and the storages behind them. Here the pickles are read as data (`perceptual/pickled.py`).
"""

import mmap
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tubelet.errors import CheckpointError
from tubelet.files.names import utf8_path
from tubelet.perceptual.pickled import Call, Global, Reference, read_pickle

_MAGIC = 0x1950A86A20F9469CFC6C
"""With which the older format begins."""

_HOLDERS = ("module", "model", "state_dict", "model_state_dict", "model_state")
"""Names under which a file of training has the weights."""

_LARGEST_PICKLE = 1 << 26

_TYPES = {
    "Float": torch.float32,
    "Double": torch.float64,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
}
"""What ``torch.FloatStorage`` and so on hold."""


class _Storage(NamedTuple):
    """Numbers in a row that tensors are made of.

    Attributes:
        key: how the file names it.
        kind: of the numbers.
        length: how many there are.
    """

    key: str
    kind: torch.dtype
    length: int


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of weights, by name; on the CPU, wherever they were when they were stored.

    Raises:
        CheckpointError: the file is missing, damaged, of another format, or a program (TorchScript).
    """
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            tensors = _read_archive(path) if data[:4] == b"PK\x03\x04" else _read_older(data)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file. Check the spelling and the folder.") from error
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        RuntimeError,
        zipfile.BadZipFile,
        NotImplementedError,
    ) as error:
        raise CheckpointError(
            f"{path} holds no weights that can be read: {str(error) or type(error).__name__}. Fetch it again."
        ) from error
    return tensors


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with utf8_path(path) as place:
            return load_file(place)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file. Check the spelling and the folder.") from error
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}. Fetch it again.") from error


def _read_archive(path: Path) -> dict[str, Tensor]:
    """The tensors of the format since torch 1.6."""
    with zipfile.ZipFile(path) as archive:
        names = {name.partition("/")[2]: name for name in archive.namelist()}
        if any(name.startswith("code/") for name in names):
            raise ValueError("it is a program (TorchScript), and programs are not executed")
        if "data.pkl" not in names:
            raise ValueError("it is an archive without data.pkl")
        if "byteorder" in names and archive.read(names["byteorder"]) != b"little":
            raise ValueError("its numbers are of another byte order")
        if archive.getinfo(names["data.pkl"]).file_size > _LARGEST_PICKLE:
            raise ValueError(f"its pickle has more than {_LARGEST_PICKLE} bytes")
        with archive.open(names["data.pkl"]) as file:
            value = read_pickle(file)

        def numbers(storage: _Storage) -> Tensor:
            entry = archive.getinfo(names[f"data/{storage.key}"])
            if (
                entry.compress_type != zipfile.ZIP_STORED
                or entry.file_size != storage.length * storage.kind.itemsize
            ):
                raise ValueError(
                    f"storage {storage.key:.40} has {entry.file_size} bytes, not as many as it should"
                )
            return _numbers(archive.read(entry), storage)

        return _tensors(value, numbers)


def _read_older(data: mmap.mmap) -> dict[str, Tensor]:
    """The tensors of the format before torch 1.6."""
    magic = None
    with suppress(ValueError):
        magic = read_pickle(data)
    if magic != _MAGIC:
        raise ValueError("it is of no format of torch")
    _version, system, value, keys = (read_pickle(data) for _ in range(4))
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("its numbers are of another byte order")
    kinds = {storage.key: storage for storage in map(_storage, _references(value))}
    places: dict[str, int] = {}
    for key in keys:
        start = data.tell() + 8
        storage = kinds[key]
        if int.from_bytes(data.read(8), "little") != storage.length:
            raise ValueError(f"storage {storage.key:.40} has another size than the pickle says")
        places[key] = start
        length = storage.length * storage.kind.itemsize
        if start + length > len(data):
            raise ValueError("its end is missing")
        data.seek(start + length)

    def numbers(storage: _Storage) -> Tensor:
        start = places[storage.key]
        return _numbers(data[start : start + storage.length * storage.kind.itemsize], storage)

    return _tensors(value, numbers)


def _numbers(content: bytes, storage: _Storage) -> Tensor:
    """The numbers of a storage, in a row."""
    return (
        torch.frombuffer(bytearray(content), dtype=storage.kind)
        if content
        else torch.empty(0, dtype=storage.kind)
    )


def _tensors(value: Any, numbers: Callable[[_Storage], Tensor]) -> dict[str, Tensor]:  # noqa: ANN401
    """The named tensors of what a pickle holds, or of the part of it that has the weights."""
    for _ in range(2):
        holder = next(
            (name for name in _HOLDERS if isinstance(value, dict) and isinstance(value.get(name), dict)), None
        )
        if holder is not None:
            value = value[holder]
    if not isinstance(value, dict):
        raise ValueError("it holds no weights by name")  # noqa: TRY004
    read: dict[str, Tensor] = {}
    found: dict[str, Tensor] = {}
    for name, call in value.items():
        is_parameter = isinstance(call, Call) and call.function == "torch._utils._rebuild_parameter"
        each = call.arguments[0] if is_parameter else call
        if isinstance(name, str) and isinstance(each, Call) and each.function in _REBUILD:
            storage = _storage(each.arguments[0])
            if storage.key not in read:
                read[storage.key] = numbers(storage)
            found[name] = _view(read[storage.key], *each.arguments[1:4])
    return found


_REBUILD = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
"""Calls that stand for a tensor: storage, first number, sides, strides."""


def _view(numbers: Tensor, first: int, sides: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
    """A tensor of some of the numbers."""
    whole = (first, *sides, *strides)
    if len(sides) != len(strides) or not all(type(each) is int and each >= 0 for each in whole):
        raise ValueError("a tensor has sides that are not sizes")
    count = 1
    for side in sides:
        count *= side
    last = first + sum((side - 1) * stride for side, stride in zip(sides, strides, strict=True))
    if count > len(numbers) or (count and last >= len(numbers)):
        raise ValueError("a tensor is larger than its numbers")
    return numbers.as_strided(sides, strides, first).clone() if count else numbers.new_empty(sides)


def _storage(reference: Any) -> _Storage:  # noqa: ANN401  whatever a pickle holds
    """What a reference to numbers says: ``("storage", type, key, place, count)``."""
    if not isinstance(reference, Reference) or len(reference.parts) < 5 or reference.parts[0] != "storage":
        raise ValueError("it refers to something else than numbers")
    _, kind, key, _, count = reference.parts[:5]
    if any(part is not None for part in reference.parts[5:]):
        raise ValueError("its numbers are a part of others, as only the oldest files have it")
    name = kind.path.removeprefix("torch.").removesuffix("Storage") if isinstance(kind, Global) else ""
    if name not in _TYPES or type(count) is not int or count < 0 or not isinstance(key, str):
        raise ValueError(f"it has numbers of an unknown kind ({name:.40})")
    return _Storage(key, _TYPES[name], count)


def _references(value: Any) -> list[Reference]:  # noqa: ANN401  whatever a pickle holds
    """All references in a value, each once."""
    found: dict[str, Reference] = {}
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Reference):
            found[str(each.parts[2:3])] = each
        elif isinstance(each, dict | list | tuple | set) and id(each) not in seen:
            seen.add(id(each))
            waiting += each.values() if isinstance(each, dict) else each
    return list(found.values())
