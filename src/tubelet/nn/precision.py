"""Half precision for networks alone, also where a whole tokenizer is asked to take it."""

from collections.abc import Callable, Iterable
from itertools import chain

import torch
from torch import Tensor, nn

HALVES = (torch.float16, torch.bfloat16)
"""Number formats in which a basis is not orthonormal any more, and statistics are off by up to a per cent."""


def halving_only(
    networks: Iterable[nn.Module | None], convert: Callable[[Tensor], Tensor]
) -> Callable[[Tensor], Tensor]:
    """What `nn.Module.to` and its kin do to a tensor, except that only those of networks are halved.

    They are moved to another device, and converted to float64, as any other.
    """
    inside: set[int] = set()
    for network in networks:
        if network is not None:
            for tensor in chain(network.parameters(), network.buffers()):
                inside |= {id(tensor), id(tensor.grad)}

    def converted(tensor: Tensor) -> Tensor:
        result = convert(tensor)
        if result.dtype in HALVES and tensor.dtype not in HALVES and id(tensor) not in inside:
            return tensor.to(result.device)
        return result

    return converted
