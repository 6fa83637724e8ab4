"""Folders that were made for what then failed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def no_empty_folders(folder: Path) -> Iterator[None]:
    """Where the body fails, remove the folders that it made and wrote nothing into.

    Args:
        folder: what the body may make, with folders above it and in it. One that was there before stays.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        yield
    except BaseException:
        if missing:
            for place, _, _ in os.walk(folder, topdown=False):
                _remove_empty(Path(place))
            for above in missing:
                _remove_empty(above)
        raise


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
