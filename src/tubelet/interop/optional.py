"""diffusers, if it is installed."""

from importlib import import_module
from types import ModuleType

from tubelet.errors import OptionError


def diffusers_package() -> ModuleType:
    """Import diffusers.

    Raises:
        OptionError: it is not installed.
    """
    try:
        return import_module("diffusers")
    except ModuleNotFoundError as error:
        raise OptionError(
            f"the package {error.name!r} is missing; autoencoders of diffusers need it. "
            "Install it with `pip install 'tubelet[diffusers]'`."
        ) from error
