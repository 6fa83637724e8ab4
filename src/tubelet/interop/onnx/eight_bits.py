"""Dynamic quantisation: weights as integers of eight bits, and what meets them rounded to eight bits too."""

from pathlib import Path
from typing import Any

from tubelet.interop.onnx.packages import export_package

_MAPS = ("enter", "look", "mix", "draw", "leave")
"""The layers of `tubelet.nn.flat` that are quantised: transforms and gains stay exact."""


def write_eight_bits(path: Path) -> None:
    """Replace a file by the same function whose maps compute in eight bits, each input scaled as it comes.

    Raises:
        OptionError: onnxruntime is not installed.
    """
    onnx = export_package("onnx")
    quantization = export_package("onnxruntime.quantization")
    kept = [
        node.name
        for node in onnx.load(str(path)).graph.node
        if node.op_type == "Conv" and not _is_map(node.input[1])
    ]
    quantization.quantize_dynamic(
        str(path),
        str(path),
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=kept,
        weight_type=quantization.QuantType.QInt8,
    )


def _is_map(weight: Any) -> bool:  # noqa: ANN401  a text of a package without types
    """Whether a weight of this name is that of a map of a network."""
    return any(part in _MAPS for part in str(weight).split("."))
