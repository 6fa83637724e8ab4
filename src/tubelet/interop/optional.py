"""diffusers, if it is installed."""

from types import ModuleType

from tubelet.extras import extra_package


def diffusers_package() -> ModuleType:
    """Import diffusers.

    Raises:
        OptionError: it is not installed.
    """
    return extra_package("diffusers", extra="diffusers", need="autoencoders of diffusers need it")
