"""Packages that come with an extra of this one, imported where they are needed."""

from importlib import import_module
from typing import Any

from tubelet.errors import OptionError


def extra_package(name: str, *, extra: str, need: str, instead: str = "") -> Any:  # noqa: ANN401  any module
    """Import a package of an extra.

    Args:
        name: of the package, or of a module in it.
        extra: what brings it, by its name in pyproject.toml.
        need: who needs it, for the message: ``plots need it``.
        instead: what does without it: ``leave --engine out``.

    Raises:
        OptionError: it is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        otherwise = f", or {instead}" if instead else ""
        raise OptionError(
            f"the package {error.name!r} is missing; {need}. Install it with "
            f"`pip install 'tubelet[{extra}]'`{otherwise}."
        ) from error
