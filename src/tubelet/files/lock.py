"""One process at a time works in a folder."""

import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tubelet.errors import OutputError, TubeletWarning
from tubelet.files.disk import output_errors
from tubelet.files.leftovers import UnlockableError, is_same, sweep, try_lock

LOCK_FILE = ".tubelet-lock"
"""Is in a folder while a process works there, and says which; what counts is the lock on it."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder while the body runs, and remove what killed ones left there.

    The lock ends with the process, however that ends.

    Args:
        folder: it must be there.

    Raises:
        OutputError: another process works there, or the folder cannot be written.
    """
    path = folder / LOCK_FILE
    with output_errors(folder):
        descriptor = _locked(path, folder)
    try:
        sweep(folder)
        yield
    finally:
        # Removed before it is unlocked: whoever locked it meanwhile sees that it is gone, and makes another.
        with suppress(OSError):
            if is_same(path, descriptor):
                path.unlink()
        os.close(descriptor)


def _locked(path: Path, folder: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            mine = try_lock(descriptor)
        except UnlockableError as error:
            warnings.warn(
                f"{folder} cannot be locked ({error.strerror}); see to it that no other process works there.",
                TubeletWarning,
                stacklevel=4,
            )
            mine = True
        if not mine:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(descriptor)
            raise OutputError(
                f"{folder} is in use by {holder}; one process at a time works in a folder. Wait for it, stop "
                "it, or name another folder."
            )
        if is_same(path, descriptor):
            # On a full disk others are not told who works here; what is written next says what is wrong.
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
            return descriptor
        os.close(descriptor)
