"""Files are written beside their target and renamed, so a target is whole or absent."""

import errno
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tubelet.errors import OutputError


def check_target(target: Path, *, force: bool) -> None:
    """Raise before any work is done if `target` cannot be written.

    Raises:
        OutputError: the target exists and `force` is false, is a folder, or its folder is missing.
    """
    if target.is_dir():
        raise OutputError(f"{target} is a folder; the result is one file. Give a file name inside it.")
    if target.exists() and not force:
        raise OutputError(f"{target} exists; nothing is overwritten unasked. Use --force or another name.")
    if not target.parent.is_dir():
        raise OutputError(f"{target.parent} is no folder; the result must go into one. Create it first.")


@contextmanager
def replacing(target: Path, *, force: bool) -> Iterator[Path]:
    """Yield a temporary path beside `target` that becomes `target` if the body succeeds.

    The temporary name keeps the suffix, so that writers which choose a format by it still can. If the body
    raises, the temporary file is removed and `target` is what it was before.

    Raises:
        OutputError: see `check_target`; or the disk is full or refuses the file.
    """
    check_target(target, force=force)
    # A part of the stem, because a name has at most 255 bytes; eight digits that nobody else draws.
    beside = target.with_name(f".{target.stem[:40]}.{secrets.token_hex(4)}.part{target.suffix}")
    try:
        yield beside
        if target.exists() and not force:
            raise OutputError(f"{target} appeared meanwhile; nothing is overwritten unasked. Use --force.")
        beside.replace(target)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise OutputError(f"no room for {target}: {error.strerror}. Free space first.") from error
        if error.errno in {errno.EACCES, errno.EROFS, errno.EPERM}:
            raise OutputError(
                f"{target} cannot be written: {error.strerror}. Choose another folder."
            ) from error
        raise
    finally:
        beside.unlink(missing_ok=True)
