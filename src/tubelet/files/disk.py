"""What disks do: refuse, fill up, keep what was written, and rename without a moment in between."""

import ctypes
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tubelet.errors import OutputError
from tubelet.files.leftovers import OWN

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EROFS, errno.EPERM}
_OTHER = {
    errno.EIO,
    errno.EPIPE,
    errno.EBUSY,
    errno.EEXIST,
    errno.EXDEV,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
}

_HERE = -100  # AT_FDCWD
_NO_REPLACE, _EXCHANGE = 1, 2


@contextmanager
def output_errors(target: Path) -> Iterator[None]:
    """Name what cannot be written, and the cure, where a disk refuses.

    Raises:
        OutputError: instead of an `OSError` that speaks of room, rights, the disk or what was to be made.
    """
    try:
        yield
    except OSError as error:
        # NumPy says how much it could write, and no number.
        reason = error.strerror or str(error)
        if error.errno in _FULL or (error.errno is None and "written" in reason):
            raise OutputError(f"no room for {target}: {reason}. Free space first.") from error
        if error.errno in _REFUSED:
            raise OutputError(f"{target} cannot be written: {reason}. Choose another folder.") from error
        if error.errno in _OTHER:
            raise OutputError(f"{target} cannot be written: {reason}. Choose another place.") from error
        if _is_of_making(error, target):
            raise OutputError(
                f"{target} cannot be written: nothing can be made in that folder. Choose another."
            ) from error
        raise


def _is_of_making(error: OSError, target: Path) -> bool:
    """Whether what "is not there" is what was to be made, as in /proc; it may be a source as well."""
    if error.errno != errno.ENOENT or not isinstance(error.filename, str | Path):
        return False
    path = Path(error.filename)
    return OWN.fullmatch(path.name) is not None or path == target or path in target.parents


def make_durable(path: Path) -> None:
    """Wait until a file, or a folder and the files in it, are on the disk and outlive a loss of power.

    Raises:
        OSError: the disk cannot keep it.
    """
    if not path.is_dir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
        return
    for each in path.iterdir():
        make_durable(each)
    # Not every system opens folders; there, renaming is durable by itself or not at all.
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_name_durable(path: Path) -> None:
    """Wait until the name of a file or folder is on the disk."""
    with suppress(OSError):
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def rename_to_new(path: Path, target: Path) -> None:
    """Rename a file, or a folder, to a name that nothing has.

    Raises:
        FileExistsError: something has it.
    """
    try:
        _renameat2(path, target, _NO_REPLACE)
    except OSError as error:
        if error.errno not in {errno.ENOSYS, errno.EINVAL}:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        path.rename(target)


def exchange(one: Path, other: Path) -> bool:
    """Let two files or folders swap their names in one moment; tell whether this system can.

    Raises:
        OSError: it can, and the disk refuses.
    """
    try:
        _renameat2(one, other, _EXCHANGE)
    except OSError as error:
        if error.errno not in {errno.ENOSYS, errno.EINVAL}:
            raise
        return False
    return True


def _renameat2(old: Path, new: Path, flags: int) -> None:
    """Linux's own way to rename, which Python does not have."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if _IS_LINUX else None
    if function is None:
        raise OSError(errno.ENOSYS, "no renameat2")
    if function(_HERE, os.fsencode(old), _HERE, os.fsencode(new), flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(new))


_IS_LINUX = sys.platform.startswith("linux")
