"""pyarrow, if it is installed."""

from importlib import import_module
from typing import Any, NamedTuple

from tubelet.errors import OptionError


class Arrow(NamedTuple):
    """The two packages of pyarrow that are used."""

    lib: Any
    parquet: Any


def arrow_packages(*, for_what: str, instead: str) -> Arrow:
    """Import pyarrow.

    Args:
        for_what: what needs it, for the message: a plural such as ``tables of tokens (.parquet)``.
        instead: what does without it, such as ``write .npz``.

    Raises:
        OptionError: it is not installed.
    """
    try:
        return Arrow(import_module("pyarrow"), import_module("pyarrow.parquet"))
    except ModuleNotFoundError as error:
        raise OptionError(
            f"the package {error.name!r} is missing; {for_what} need it. Install it with "
            f"`pip install 'tubelet[tokens]'`, or {instead}."
        ) from error
