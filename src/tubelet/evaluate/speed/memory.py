"""How much memory a process takes, and took at most."""

import re
import resource
import sys
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")


class Memory:
    """The memory that matters on a device: of the whole process on a CPU, of tensors on a GPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __str__(self) -> str:
        return "tensors on the GPU" if self._device.type == "cuda" else "resident set of the process"

    def begin_mib(self) -> float:
        """What is taken now; on a GPU the peak begins anew.

        Where an operating system tells no more than the peak of a process, it is that.
        """
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return _mib(torch.cuda.memory_allocated(self._device))
        return _resident("VmRSS")

    def peak_mib(self) -> float:
        """What was taken at most: since `begin_mib` on a GPU, since the process began on a CPU."""
        if self._device.type == "cuda":
            return _mib(torch.cuda.max_memory_allocated(self._device))
        return _resident("VmHWM")


def _resident(field: str) -> float:
    """A resident set, as Linux keeps it, or the one that other systems know."""
    if _STATUS.exists():
        match = re.search(rf"^{field}:\s+(\d+) kB$", _STATUS.read_text(), flags=re.MULTILINE)
        if match is not None:
            return _mib(1024 * int(match[1]))
    # Not on Linux, where it starts with what the parent process took.
    unit = 1 if sys.platform == "darwin" else 1024
    return _mib(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _mib(count: int) -> float:
    return round(count / 2**20, 1)
