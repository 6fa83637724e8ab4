"""How many cores this process may use."""

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Time of cores that a container may take in a period, and the period, in microseconds (Linux, cgroup v2)."""


def cores() -> int:
    """Cores that this process may use: those that it may run on, or fewer where its container has a quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        share, period = _QUOTA.read_text(encoding="ascii").split()
        quota = int(share) // int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return allowed  # no container, or "max"
    return max(1, min(allowed, quota))


CODEC_THREADS = min(4, cores())
"""Threads of FFmpeg's decoders, encoders and conversions; each holds frames, and a tokenizer is slower."""
