"""onnx and onnxruntime, if they are installed."""

from importlib import import_module
from types import ModuleType

from tubelet.errors import OptionError


def export_package(name: str) -> ModuleType:
    """Import a package of the extra `export`.

    Raises:
        OptionError: it is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise OptionError(
            f"the package {error.name!r} is missing; ONNX needs it. "
            "Install it with `pip install 'tubelet[export]'`."
        ) from error
