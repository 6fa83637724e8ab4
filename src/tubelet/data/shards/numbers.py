"""The number formats that latents are stored in, and back to float32."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast, get_args

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from tubelet.errors import DatasetError, LatentError

DType = Literal["float16", "bfloat16", "float32", "int8"]
"""How the numbers of a latent are stored."""

DTYPES: tuple[DType, ...] = get_args(DType)

BYTES: Mapping[DType, int] = {"float16": 2, "bfloat16": 2, "float32": 4, "int8": 1}
"""Bytes of a number."""

_LARGEST = {"float16": 65504.0, "bfloat16": 3.3e38, "float32": 3.4e38, "int8": 3.3e38}
_LEVELS = 127


class Stored(NamedTuple):
    """A latent as it is stored.

    Attributes:
        array: its numbers; bfloat16, which NumPy does not know, as the 16 bits of each.
        about: what is needed to read it: ``dtype``, and for int8 the ``scale`` of each channel.
    """

    array: np.ndarray
    about: dict[str, Any]


def to_stored(latent: Float32[Tensor, "c t h w"], dtype: DType) -> Stored:
    """Round a latent to a number format; int8 has a step for each channel of the clip.

    Raises:
        LatentError: it holds NaN, infinity, or what the format has no number for.
    """
    largest = float(latent.abs().max()) if latent.numel() else 0.0
    if not largest <= _LARGEST[dtype]:
        raise LatentError(
            f"the latent's largest value is {largest:g}; {dtype} holds numbers up to {_LARGEST[dtype]:g}. "
            "If it is neither NaN nor infinity, choose another --dtype."
        )
    if dtype == "int8":
        peaks = latent.abs().amax(dim=(1, 2, 3)).clamp(min=1e-30)
        scale = peaks / _LEVELS
        levels = (latent / scale[:, None, None, None]).round().clamp(-_LEVELS, _LEVELS).to(torch.int8)
        return Stored(levels.numpy(), {"dtype": dtype, "scale": [float(each) for each in scale]})
    if dtype == "bfloat16":
        return Stored(latent.to(torch.bfloat16).view(torch.uint16).numpy(), {"dtype": dtype})
    return Stored(latent.to(getattr(torch, dtype)).numpy(), {"dtype": dtype})


def from_stored(array: np.ndarray, about: Mapping[str, Any], where: str) -> Float32[Tensor, "c t h w"]:
    """The latent that stored numbers stand for.

    Raises:
        DatasetError: the array is not what is said of it.
    """
    dtype = about.get("dtype")
    kind = {"float16": np.float16, "bfloat16": np.uint16, "float32": np.float32, "int8": np.int8}
    if dtype not in kind or array.ndim != 4 or array.dtype != kind[cast(DType, dtype)]:
        raise DatasetError(
            f"{where} holds {array.dtype} of shape {array.shape}, said to be {dtype!r:.20}; a latent is "
            f"c t h w of one of {', '.join(DTYPES)}. Encode it again."
        )
    numbers = torch.from_numpy(np.require(array, requirements=["C_CONTIGUOUS", "WRITEABLE"]))
    if dtype == "bfloat16":
        return numbers.view(torch.bfloat16).to(torch.float32)
    if dtype == "int8":
        scale = about.get("scale")
        if not isinstance(scale, list) or len(scale) != len(array):
            raise DatasetError(f"{where} lacks the scale of its {len(array)} channels. Encode it again.")
        return numbers.to(torch.float32) * torch.tensor(scale, dtype=torch.float32)[:, None, None, None]
    return numbers.to(torch.float32)
