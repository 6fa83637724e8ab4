"""Where tensors are computed with: the CPU, or a GPU."""

import torch

from tubelet.errors import OptionError

KINDS = ("cpu", "cuda")
"""What tubelet computes on; other kinds of PyTorch lack float64, or were never tried."""


def find_device(name: str) -> torch.device:
    """The device that a name means, if it is here.

    Args:
        name: ``cpu``; ``cuda``, the GPU that PyTorch takes first; or ``cuda:1``, the second one.

    Raises:
        OptionError: the name means nothing here.
    """
    try:
        device = torch.device(name) if isinstance(name, str | torch.device) else None
    except RuntimeError:
        device = None
    if device is None or device.type not in KINDS:
        raise OptionError(f"the device is {name!r:.60}; it is cpu, cuda, or cuda:N for the GPU of number N.")
    if device.type == "cuda":
        here = torch.cuda.device_count()
        if _gpu_number(name) >= here:
            raise OptionError(
                f"the device is {name}, and PyTorch finds {here or 'no'} GPU{'s' * (here != 1)} here. Take "
                "one that is there, or cpu; a build of PyTorch for CPUs alone never finds any."
            )
    return device


def _gpu_number(name: str | torch.device) -> int:
    """Which GPU a name means; PyTorch keeps 8 bits of it, so to it 256 is 0."""
    if isinstance(name, torch.device):
        return name.index or 0
    return int(name.partition(":")[2] or 0)
