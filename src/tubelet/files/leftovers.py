"""Unfinished files and folders: marked as ours, locked while their process lives, removed by the next run.

The lock is the operating system's (``flock``) and ends with the process, however that ends, so what lies
about unlocked has no owner. Where a system or a file system knows no such locks, nothing is removed.
"""

import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover  Windows
    fcntl = None

OWN = re.compile(r"\.(?P<name>.*)\.tubelet-[0-9a-f]{8}\.(?P<kind>part|old)(\.[^./]*)?", re.DOTALL)
"""Names of unfinished files and folders, and of folders that are being replaced."""


class UnlockableError(OSError):
    """The system or the file system knows no locks."""


def try_lock(descriptor: int) -> bool:
    """Lock an open file or folder; tell whether that worked, or another process has it.

    Raises:
        UnlockableError: there are no locks here.
    """
    if fcntl is None:
        raise UnlockableError("this system knows no locks")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise UnlockableError(*error.args) from error
    return True


def name_of_old(folder: Path) -> Path:
    """A name for a folder that is being replaced, which tells the name to put it back to."""
    return folder.with_name(f".{folder.name}.tubelet-{secrets.token_hex(4)}.old")


@contextmanager
def unfinished(target: Path, *, suffix: str | None = None) -> Iterator[Path]:
    """Make an empty file beside `target`, or a folder where there is no suffix, and lock it.

    At the end it is removed if it is still there.

    Raises:
        OSError: it cannot be made.
    """
    path, descriptor = _claim(target, suffix)
    try:
        yield path
    finally:
        remove(path)
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove what killed processes left in a folder, and put back what one was about to replace."""
    with suppress(OSError):
        found = [Path(entry.path) for entry in os.scandir(folder) if OWN.fullmatch(entry.name)]
        for path in found:
            _sweep_one(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, as far as that works: a disk may be read-only by now."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def is_same(path: Path, descriptor: int) -> bool:
    """Whether an open file or folder still has that name."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except OSError:
        return False


def _claim(target: Path, suffix: str | None) -> tuple[Path, int]:
    while True:
        # Not all of the name, because it has at most 255 bytes; eight digits that nobody else draws.
        end = f"tubelet-{secrets.token_hex(4)}.part{(suffix or '')[:20]}"
        path = target.with_name(f".{target.stem[:40]}.{end}")
        if suffix is None:
            path.mkdir()
            descriptor = os.open(path, os.O_RDONLY)
        else:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        with suppress(UnlockableError):
            # Somebody may sweep between the making and the locking; then make another.
            if not try_lock(descriptor) or not is_same(path, descriptor):
                os.close(descriptor)
                continue
        return path, descriptor


def _sweep_one(path: Path) -> None:
    with suppress(OSError):
        if stat.S_IFMT(path.lstat().st_mode) not in {stat.S_IFREG, stat.S_IFDIR}:
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if not try_lock(descriptor):
                return
            parts = OWN.fullmatch(path.name)
            before = path.with_name(parts["name"]) if parts is not None and parts["kind"] == "old" else None
            if before is not None and not os.path.lexists(before):
                path.rename(before)
            else:
                remove(path)
        finally:
            os.close(descriptor)
