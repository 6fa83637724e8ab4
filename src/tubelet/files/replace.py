"""Files and folders are written beside their target and renamed, so a target is whole or absent."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tubelet.errors import OutputError
from tubelet.files.disk import exchange, make_durable, make_name_durable, output_errors, rename_to_new
from tubelet.files.leftovers import name_of_old, remove, unfinished
from tubelet.files.targets import check_folder, check_place, followed


@contextmanager
def replacing(target: Path, *, force: bool, durable: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `target` that becomes `target` if the body succeeds.

    The temporary name keeps the suffix, so that writers which choose a format by it still can. If the body
    raises, the temporary file is removed and `target` is what it was before. Where `target` is a symbolic
    link, what it leads to is written; the mode of a file that is replaced stays. What goes into a pipe is
    written to a file first.

    Args:
        target: the file.
        force: whether a file of that name is replaced.
        durable: whether the file must outlive a loss of power from the moment it is there.

    Raises:
        OutputError: see `check_targets`; or the disk is full or refuses the file.
    """
    with output_errors(target):
        real = check_place(target, force=force)
        before = _status(target)
        if before is not None and stat.S_ISFIFO(before.st_mode):
            with _into_pipe(target) as beside:
                yield beside
            return
        with unfinished(real, suffix=target.suffix) as beside:
            if before is not None:
                # Nobody reads in the making what only some may read in the end.
                beside.chmod(0o600)
            yield beside
            if before is not None:
                _keep_mode(beside, before)
            if durable:
                make_durable(beside)
            if force:
                beside.replace(real)
            else:
                _appear(beside, real, target)
            if durable:
                make_name_durable(real)


@contextmanager
def replacing_folder(target: Path, *, holds: Collection[str], force: bool) -> Iterator[Path]:
    """Yield a new folder beside `target` that becomes `target`, all files in one, if the body succeeds.

    If the body raises, or the process is killed, `target` is what it was before. Its files outlive a loss of
    power. Folders above it are made.

    Args:
        target: the folder.
        holds: names of the files that such a folder has; one that holds others is never replaced.
        force: whether a folder that holds such files is replaced.

    Raises:
        OutputError: see `check_folder`; or the disk is full or refuses the folder.
    """
    with output_errors(target):
        real = followed(target)
        real.parent.mkdir(parents=True, exist_ok=True)
        check_folder(target, holds=holds, force=force)
        with unfinished(real) as beside:
            yield beside
            if (before := _status(real)) is not None:
                _keep_mode(beside, before)
            make_durable(beside)
            check_folder(target, holds=holds, force=force)
            replace_folder(beside, real, target)


def replace_folder(path: Path, real: Path, target: Path | None = None) -> None:
    """Give a finished folder its name, and remove the one that has it; at every moment one of the two has it.

    Where a system cannot swap names, the old folder is called ``.NAME.tubelet-….old`` for a moment, and the
    next run puts it back if that moment was the last.

    Raises:
        OutputError: a folder of that name appeared meanwhile.
        OSError: the disk refuses.
    """
    if not os.path.lexists(real):
        _appear(path, real, target or real)
    elif exchange(path, real):
        remove(path)
    else:
        old = name_of_old(real)
        real.rename(old)
        path.rename(real)
        remove(old)
    make_name_durable(real)


def _appear(path: Path, real: Path, target: Path) -> None:
    try:
        rename_to_new(path, real)
    except FileExistsError as error:
        raise OutputError(
            f"{target} appeared meanwhile; nothing is overwritten unasked. Use --force."
        ) from error


@contextmanager
def _into_pipe(pipe: Path) -> Iterator[Path]:
    """Yield a temporary file whose content goes into a pipe if the body succeeds."""
    try:
        # Opened at once, so that whoever reads waits.
        descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise OutputError(f"{pipe} is a pipe that nobody reads from. Start its reader first.") from error
    with (
        os.fdopen(descriptor, "wb") as sink,
        unfinished(Path(tempfile.gettempdir()) / pipe.name, suffix=pipe.suffix) as beside,
    ):
        os.set_blocking(descriptor, True)
        yield beside
        with beside.open("rb") as source:
            shutil.copyfileobj(source, sink)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _keep_mode(path: Path, before: os.stat_result) -> None:
    """Give a file the owner and the mode of the one that it replaces, as far as this user may."""
    with suppress(OSError):
        now = path.stat()
        if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
            os.chown(path, before.st_uid, before.st_gid)
    with suppress(OSError):
        path.chmod(stat.S_IMODE(before.st_mode))
