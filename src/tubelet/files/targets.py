"""What may be written: decided here for every command and every option that names a file."""

import errno
import os
import stat
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from tubelet.errors import OptionError, OutputError
from tubelet.files.disk import output_errors
from tubelet.files.leftovers import OWN, sweep
from tubelet.files.names import suffix_text

STANDARD_OUTPUT = Path("-")
"""What stands for standard output where text is written."""

_Identity = tuple[int, int]

_NOTHING: _Identity = (-1, -1)
"""Of a file that is not there."""


def check_target(target: Path, *, sources: Iterable[Path] = (), force: bool) -> None:
    """Raise before any work is done if `target` cannot be written; as `check_targets`, for one file."""
    check_targets([target], sources=sources, force=force)


def check_targets(targets: Iterable[Path], *, sources: Iterable[Path] = (), force: bool) -> None:
    """Raise before any work is done if a file cannot be written; remove what killed runs left beside it.

    A symbolic link is written through, also one to a file that is not there yet. A pipe (FIFO) is written
    into, if somebody reads from it.

    Args:
        targets: all files that are going to be written.
        sources: files that are read, and folders of tokenizers.
        force: whether files that exist are replaced.

    Raises:
        OptionError: a target is ``-``, a source under whatever name, or named twice.
        OutputError: a target exists and `force` is false, is a folder, device or socket, or its folder is
            missing.
    """
    read = {_identity(each) or _NOTHING: each for each in sources}
    seen: dict[Path, Path] = {}
    for target in targets:
        source = read.get(found) if (found := _identity(target)) is not None else None
        if source is not None:
            how = "is also an input" if source == target else f"is the input {source} under another name"
            raise OptionError(f"{target} {how}; inputs are never written. Name another file.")
        real = check_place(target, force=force)
        if real in seen:
            raise OptionError(
                f"{target} and {seen[real]} are one file, and two results go there. Name two files."
            )
        seen[real] = target
    for folder in {real.parent for real in seen}:
        sweep(folder)


def check_suffix(target: Path, suffixes: Sequence[str], what: str) -> None:
    """Raise if a file's name does not say what it will hold.

    Args:
        target: the file; a pipe has any name, unless the suffix chooses between several formats.
        suffixes: that the name may end in, in lower case.
        what: will be in the file.

    Raises:
        OptionError: it ends otherwise.
    """
    _check_named(target)
    if target.suffix.lower() not in suffixes and not (len(suffixes) == 1 and _is_pipe(target)):
        known = f"{'one of ' if len(suffixes) > 1 else ''}{' '.join(suffixes)}"
        found = suffix_text(target.suffix)
        raise OptionError(f"{target} ends in {found}; the name of {what} ends in {known}. Change it.")


def check_folder(folder: Path, *, holds: Collection[str], sources: Iterable[Path] = (), force: bool) -> None:
    """Raise before any work is done if a folder cannot be written, or replaced, as a whole.

    Args:
        folder: the folder; it need not be there.
        holds: names of the files that such a folder has, and no others.
        sources: files and folders that are read.
        force: whether a folder that holds such files is replaced.

    Raises:
        OptionError: the folder is a source.
        OutputError: it is something else than a folder, holds other files, or holds some and `force` is
            false.
    """
    real = followed(folder)
    if _identity(folder) in {_identity(each) for each in sources} - {None}:
        raise OptionError(f"{folder} is also an input; inputs are never written. Name another folder.")
    with output_errors(folder):
        if _mode(real) is not None:
            _check_replaceable(folder, real, holds=holds, force=force)
        _check_writable(next(each for each in real.parents if each.is_dir()))
    sweep(real.parent)


def check_place(target: Path, *, force: bool) -> Path:
    """Raise unless a file can be made or replaced at a place; give where it lies, links followed.

    Raises:
        OptionError, OutputError: as `check_targets`, without its sources.
    """
    _check_named(target)
    real = followed(target)
    if _is_pipe(target):
        return real
    with output_errors(target):
        if not real.parent.is_dir():
            raise OutputError(
                f"{target.parent} is not a folder; the result must go into one. Create it first."
            )
        mode = _mode(real)
        if mode is not None and stat.S_ISDIR(mode):
            raise OutputError(f"{target} is a folder; the result is one file. Give a file name inside it.")
        if mode is not None and not stat.S_ISREG(mode):
            raise OutputError(f"{target} is a device or socket; results are written to files. Name a file.")
        if mode is not None and not force:
            raise OutputError(
                f"{target} exists; nothing is overwritten unasked. Use --force or another name."
            )
        _check_writable(real.parent)
    return real


def _check_named(target: Path) -> None:
    if target == STANDARD_OUTPUT:
        raise OptionError(
            "- is standard output, and this result is a file. Name one; a file called - by its whole path."
        )


def followed(target: Path) -> Path:
    """Where a file lies that may be named by symbolic links; it need not be there.

    Raises:
        OutputError: links lead to one another in a circle.
    """
    real = Path(os.path.realpath(target))
    if os.path.islink(real):  # noqa: PTH114  also where the name is too long to be one
        raise OutputError(f"{target} is a link that leads to itself. Remove it, or choose another name.")
    return real


def _check_replaceable(folder: Path, real: Path, *, holds: Collection[str], force: bool) -> None:
    """Raise unless a folder that is there can be replaced as a whole."""
    if not real.is_dir():
        raise OutputError(f"{folder} is a file; the result is a folder. Choose another name.")
    names = [each.name for each in real.iterdir() if not OWN.fullmatch(each.name)]
    if others := sorted(set(names) - set(holds)):
        raise OutputError(
            f"{folder} holds other files ({others[0]}{', …' if len(others) > 1 else ''}); the result gets a "
            "folder of its own. Name a new one."
        )
    if names and not force:
        raise OutputError(f"{folder} exists; nothing is overwritten unasked. Use --force or another name.")
    if real.is_mount() or Path.cwd().is_relative_to(real):
        raise OutputError(
            f"{folder} is a disk, or the folder that you are in; nobody can replace it. Name a folder inside."
        )


def _identity(path: Path) -> _Identity | None:
    """What a file is under whatever name; nothing if there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # or no file can be called so
        return None
    return (found.st_dev, found.st_ino)


def _is_pipe(target: Path) -> bool:
    try:
        return stat.S_ISFIFO(target.stat().st_mode)
    except OSError:
        return False


def _check_writable(folder: Path) -> None:
    """Raise `PermissionError` if nothing can be made in a folder: better now than after hours of work."""
    if not os.access(folder, os.W_OK | os.X_OK):
        read_only = bool(os.statvfs(folder).f_flag & os.ST_RDONLY) if hasattr(os, "statvfs") else False
        number = errno.EROFS if read_only else errno.EACCES
        raise OSError(number, os.strerror(number), str(folder))


def _mode(real: Path) -> int | None:
    """The mode of what has a name; nothing if nothing has it.

    Raises:
        OSError: that name cannot be.
    """
    try:
        return real.lstat().st_mode
    except FileNotFoundError:
        return None
