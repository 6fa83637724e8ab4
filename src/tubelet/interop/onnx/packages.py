"""onnx and onnxruntime, if they are installed."""

from types import ModuleType

from tubelet.extras import extra_package


def export_package(name: str) -> ModuleType:
    """Import a package of the extra `export`.

    Raises:
        OptionError: it is not installed.
    """
    return extra_package(name, extra="export", need="ONNX needs it")
