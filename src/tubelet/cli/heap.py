"""How the heap of a command behaves."""

import ctypes
import sys

_MMAP_THRESHOLD = -3
_ARENA_MAX = -8

_LARGE = 4 << 20
"""Bytes of a block that goes back to the system as soon as it is free."""


def give_back_large_blocks() -> None:
    """Let free memory return to the system, where the C library is glibc; elsewhere do nothing.

    By default glibc comes to keep blocks of up to 32 MiB, in an area for each thread. Tensors of frames are
    of that size: between runs of frames they would hold a hundred unused megabytes.
    """
    if not sys.platform.startswith("linux"):
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_MMAP_THRESHOLD, _LARGE)
        set_option(_ARENA_MAX, 2)
