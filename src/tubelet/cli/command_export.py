"""Write a tokenizer for other programs: its encoder's and its decoder's step as two files.

Both take and give their state, so a clip is worked on step by step, in any program that runs them, with
frames of any size. card.md beside them says what goes in and comes out. Discrete tokenizers give digits,
those of several parts a tensor for each.

  onnx          for onnxruntime, browsers and most others (pip install 'tubelet[export]')
  openvino      for processors and graphics of Intel (pip install 'tubelet[export,openvino]')
  torch-export  programs of torch.export, for C++ and compilers of PyTorch

for example:
  tubelet export tubelet-m -o tubelet-m-onnx
  tubelet export tubelet-m -o tubelet-m16-small --channels 16 --dtype int8
"""

import argparse
from pathlib import Path
from typing import Any

from tubelet.cli import options

NAME = "export"

_FORMATS = ("onnx", "openvino", "torch-export")
_DTYPES = ("float32", "float16", "int8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("tokenizer", metavar="NAME|DIR", help="tokenizer to write: a shipped one or a folder")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--format", choices=_FORMATS, default="onnx", help="format of the files (default: onnx)"
    )
    parser.add_argument(
        "--channels", type=int, metavar="K", help="keep the first K channels of the latent (default: all)"
    )
    parser.add_argument(
        "--dtype",
        choices=_DTYPES,
        default="float32",
        help="what networks compute in; float16 and int8 make smaller files, and the loss is said "
        "(default: float32)",
    )
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Write the files, and say where they are and what they lose."""
    from tubelet.checkpoint import architecture, find, read_continuous, read_discrete
    from tubelet.cli.console import as_word
    from tubelet.files import check_folder
    from tubelet.interop.steps.loss import SCENE_TEXT, measured_loss

    folder = find(arguments.tokenizer)
    names, export, read = _functions(arguments.format)
    check_folder(arguments.output, holds=names, sources=[folder], force=arguments.force)
    options.check_outputs([], arguments.json, inputs=list(folder.iterdir()), force=arguments.force)
    discrete = architecture(folder) == "discrete"
    checkpoint = read_discrete(folder) if discrete else read_continuous(folder)
    export(
        checkpoint,
        arguments.output,
        channels=arguments.channels,
        number_format=arguments.dtype,
        force=arguments.force,
    )
    sizes = {name: (arguments.output / name).stat().st_size for name in names if not name.endswith(".md")}
    figures: dict[str, Any] = {"tokenizer": checkpoint.name, "sha256": checkpoint.sha256, "bytes": sizes}
    figures |= {"format": arguments.format, "dtype": arguments.dtype}
    rows = [
        ("tokenizer", checkpoint.name),
        *((name, f"{size / 1e6:.1f} MB") for name, size in sizes.items()),
        ("what goes in and out", str(arguments.output / names[-1])),
    ]
    if read:
        if arguments.dtype != "float32":
            loss = measured_loss(checkpoint, read[discrete](arguments.output))
            rows.append(("loss", f"{loss.db:.3f} dB of {loss.before:.2f} ({SCENE_TEXT})"))
            figures |= {"psnr_before_db": loss.before, "psnr_after_db": loss.after}
        systems = f"{as_word(arguments.tokenizer)} {as_word(f'{arguments.format}:{arguments.output}')}"
        rows.append(("measure it", f"tubelet bench --with {systems} -o bench.json"))
    options.show_result(arguments, rows, figures)


def _functions(name: str) -> tuple[tuple[str, ...], Any, tuple[Any, Any] | None]:
    """Of a format: the names of its files, what writes them, and what reads them, if we do."""
    if name == "onnx":
        from tubelet.interop.onnx.export import FILES, export_onnx
        from tubelet.interop.onnx.opening import read_onnx, read_onnx_discrete

        return FILES, export_onnx, (read_onnx, read_onnx_discrete)
    if name == "openvino":
        from tubelet.interop import openvino

        return (
            openvino.FILES,
            openvino.export_openvino,
            (
                openvino.read_openvino,
                openvino.read_openvino_discrete,
            ),
        )
    from tubelet.interop import torch_export

    return torch_export.FILES, torch_export.export_programs, None
