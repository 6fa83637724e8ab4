"""A device that is the CPU in disguise, so that every machine can see which tensors lie where.

Tensors on it say that they lie elsewhere, and what is computed with them is computed on the CPU. As on a GPU
they do not meet tensors of the CPU, but for those of a single number, and numpy does not see them before
``cpu()``. What comes out must therefore be what comes out on the CPU, bit for bit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

from tubelet import devices

NAME = "disguise"


class Elsewhere(Tensor):
    """A tensor on the device; `inner` holds its numbers."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "Elsewhere":
        shown = Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=torch.device(NAME, 0),
        )
        shown.inner = inner
        return shown

    def __repr__(self) -> str:
        return f"Elsewhere({self.inner!r})"

    def tolist(self) -> Any:
        return self.inner.tolist()

    @property
    def data(self) -> "Elsewhere":
        return Elsewhere(self.inner.data)

    @data.setter
    def data(self, other: "Elsewhere") -> None:
        Tensor.data.__set__(self, other)
        self.inner = other.inner

    @classmethod
    def __torch_dispatch__(
        cls, operation: Any, _types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return _compute(operation, args, dict(kwargs or {}))


def _compute(operation: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Compute on the CPU; what comes out lies where it was asked for, or else where the operands lie."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    here = [tensor for tensor in tensors if not isinstance(tensor, Elsewhere) and tensor.ndim]
    if here and operation is not torch.ops.aten.copy_.default:
        raise RuntimeError(f"{operation} has operands on two devices: {[tuple(each.shape) for each in here]}")
    asked = kwargs.get("device")
    args, kwargs = tree_map_only(Elsewhere, lambda tensor: tensor.inner, (args, kwargs))
    if asked is not None:
        kwargs["device"] = torch.device("cpu")
    result = operation(*args, **kwargs)
    if asked is not None and torch.device(asked).type == "cpu":
        return result
    # What was changed in place is the tensor that it was.
    known = {id(tensor.inner): tensor for tensor in tensors if isinstance(tensor, Elsewhere)}

    def moved(tensor: Tensor) -> Tensor:
        return known[id(tensor)] if id(tensor) in known else Elsewhere(tensor)

    return tree_map_only(Tensor, moved, result)


def _made(operation: Any) -> Callable[..., Tensor]:
    """An operation that takes no tensor, for the device."""
    return lambda *args, **kwargs: Elsewhere(operation(*args, **kwargs | {"device": torch.device("cpu")}))


def _copy(target: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    del non_blocking
    target.inner.copy_(source.inner if isinstance(source, Elsewhere) else source)
    return target


class _Stream:
    """Work that is always done already."""

    def synchronize(self) -> None:
        pass


class _Module(_DummyBackendModule):
    """What PyTorch asks a device about."""

    _stream = _Stream()

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]

    def current_stream(self) -> _Stream:
        return self._stream

    def stream(self, _stream: _Stream) -> AbstractContextManager[None]:
        return nullcontext()


_setup_privateuseone_for_python_backend(NAME, _Module())
_LIBRARY = torch.library.Library("aten", "IMPL")
"""What makes tensors on the device; all else goes through `Elsewhere`. Both last as long as the process."""

_LIBRARY.impl("copy_", _copy, "PrivateUse1")
for _operation in (
    torch.ops.aten.empty.memory_format,
    torch.ops.aten.empty_strided.default,
    torch.ops.aten.arange.default,
    torch.ops.aten.arange.start,
    torch.ops.aten.arange.start_step,
):
    _LIBRARY.impl(_operation, _made(_operation), "PrivateUse1")


@contextmanager
def second_device() -> Iterator[torch.device]:
    """The device, while this lasts; ``str`` of it is a name for options called device."""
    with mock.patch.object(devices, "KINDS", (*devices.KINDS, NAME)):
        yield torch.device(NAME, 0)
