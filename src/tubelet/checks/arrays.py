"""What a public function asks of the arrays that it is given: looked at once, at the edge.

While `torch.compile`, `torch.export` or a tracer watch, and on tensors without numbers, only kinds, shapes
and devices are looked at: a decision that hangs on a value would break the graph.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tubelet.errors import LatentError, OptionError, ShapeError
from tubelet.spelling import cure_of_levels


class Ends(NamedTuple):
    """The smallest and the largest value of a tensor; both are NaN if one value is."""

    low: float
    high: float

    @property
    def finite(self) -> bool:
        """Whether every value is a number."""
        return math.isfinite(self.low) and math.isfinite(self.high)


def has_values(tensor: Tensor) -> bool:
    """Whether the numbers of a tensor are there to be looked at, and nothing watches."""
    tracing = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    return not (torch.compiler.is_compiling() or tracing or tensor.is_meta or not tensor.numel())


def ends(tensor: Tensor) -> Ends:
    """Look at every value once; the tensor is floating-point and has some."""
    numbers = in_memory(tensor.detach())
    low, high = torch.aminmax(numbers.to(torch.promote_types(tensor.dtype, torch.float32)))
    # One transfer for both: on a GPU every number that is looked at is a wait.
    return Ends(*torch.stack([low, high]).tolist())


def in_memory(tensor: Tensor) -> Tensor:
    """The same tensor with its axes in the order in which they lie in memory, where none need be copied."""
    return tensor.permute(sorted(range(tensor.ndim), key=tensor.stride, reverse=True))


def check_floating(tensor: object, name: str, *, cure: str) -> None:
    """Raise unless this is a dense tensor of floating-point numbers with 16 bits or more.

    Args:
        tensor: what was given.
        name: what the caller calls it.
        cure: what to do about whole numbers.

    Raises:
        OptionError: it is none.
    """
    if not isinstance(tensor, Tensor):
        raise OptionError(
            f"{_described(tensor, name)}; it must be a floating-point tensor. {_conversion(tensor, cure)}"
        )
    if not tensor.is_floating_point():
        raise OptionError(f"{name} is {tensor.dtype}; it must be floating-point. {cure}")
    if tensor.layout != torch.strided:
        raise OptionError(f"{name} is {tensor.layout}; it must be dense. Give {name}.to_dense().")
    if tensor.dtype.itemsize == 1:
        raise OptionError(
            f"{name} is {tensor.dtype}; PyTorch stores such numbers and does not compute with them. Give "
            f"{name}.float()."
        )


def check_whole(tensor: object, name: str, *, cure: str) -> None:
    """Raise unless this is a tensor of whole numbers.

    Args:
        tensor: what was given.
        name: what the caller calls it.
        cure: what to do about other numbers.

    Raises:
        OptionError: it is none.
    """
    if not isinstance(tensor, Tensor):
        raise OptionError(
            f"{_described(tensor, name)}; it must be a tensor of whole numbers. {_conversion(tensor, cure)}"
        )
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise OptionError(f"{name} is {tensor.dtype}; it must be of a type of whole numbers. {cure}")


def check_device(tensor: Tensor, device: torch.device, name: str, *, owner: str) -> None:
    """Raise unless a tensor lies where what works on it does.

    Raises:
        OptionError: it lies elsewhere.
    """
    if tensor.device != device:
        raise OptionError(
            f"{name} is on {tensor.device} and the {owner} on {device}; both must be in one place. Move one: "
            f'{name}.to("{device}").'
        )


def check_finite(tensor: Tensor, name: str, *, cure: str) -> None:
    """Raise unless every value of a floating-point tensor is a number.

    Raises:
        LatentError: one is NaN or infinite.
    """
    if has_values(tensor) and not ends(tensor).finite:
        raise not_finite(tensor, name, cure=cure)


def not_finite(tensor: Tensor, name: str, *, cure: str) -> LatentError:
    """The error that names how many values are not numbers."""
    bad = int((~tensor.isfinite()).sum())
    return LatentError(
        f"{bad} of {tensor.numel()} values of the {name} are NaN or infinity; every one must be a number. "
        f"{cure}"
    )


def check_frames(frames: object, name: str, *, cure: str) -> None:
    """Raise unless this is an array of decoded frames, ``UInt8 T H W 3``.

    Raises:
        ShapeError: it is none.
    """
    if not isinstance(frames, np.ndarray):
        hint = _ARRAYS.get(type(frames), cure)
        raise ShapeError(
            f"{_described(frames, name)}; they must be uint8 (frames, height, width, 3), in a numpy array. "
            f"{hint}"
        )
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
        if frames.dtype == np.uint8:
            cure = _cure_of_frames(frames.shape, cure)
        else:
            cure = f"{cure_of_levels(frames.dtype.kind, frames.dtype.itemsize)} {cure}".lstrip()
        raise ShapeError(
            f"{name} are {frames.dtype} {frames.shape}; they must be uint8 (frames, height, width, 3). {cure}"
        )


_ARRAYS: dict[type, str] = {
    Tensor: "Tensors of uint8 become one by .cpu().numpy().",
    list: "np.stack makes one of several frames.",
    tuple: "np.stack makes one of several frames.",
}
"""How to make an array of what was given, by its type."""


def _cure_of_frames(shape: tuple[int, ...], usual: str) -> str:
    """What would make frames of levels of this shape."""
    match shape:
        case (_, _, 3):
            cure = "A single picture becomes a clip by picture[None]."
        case (_, _, _):
            cure = "Grey frames become colour by np.repeat(frames[..., None], 3, axis=3)."
        case (_, _, _, 1):
            cure = "Grey frames become colour by np.repeat(frames, 3, axis=3)."
        case (_, _, _, 4):
            cure = "frames[..., :3] are the colours without their alpha."
        case (_, 3, _, _):
            cure = "Colours come last: frames.transpose(0, 2, 3, 1)."
        case (_, _, _, _, 3):
            cure = "Give one clip after the other, as frames[0]."
        case _:
            cure = usual
    return cure


def _described(value: object, name: str) -> str:
    """What was given instead."""
    if isinstance(value, np.ndarray):
        return f"{name} is a numpy array of {value.dtype} {value.shape}"
    if isinstance(value, Tensor):
        return f"{name} is a tensor of {value.dtype} {tuple(value.shape)}"
    return f"{name} is of type {type(value).__name__}"


def _conversion(value: object, cure: str) -> str:
    """How to make a tensor of what was given."""
    if not isinstance(value, np.ndarray):
        return "Give a torch tensor."
    return f"torch.from_numpy makes a tensor of it. {cure}"
