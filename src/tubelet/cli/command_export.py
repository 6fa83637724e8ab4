"""Write a tokenizer for other programs: its encoder's and its decoder's step as ONNX.

Both take and give their state, so a clip is worked on step by step, in any program that runs ONNX, with
frames of any size. card.md beside them says what goes in and comes out.

for example:
  tubelet export tubelet-m -o tubelet-m-onnx
  tubelet export tubelet-m -o tubelet-m16-onnx --channels 16
"""

import argparse
from pathlib import Path

from tubelet.cli.console import show_table

NAME = "export"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("tokenizer", metavar="NAME|DIR", help="tokenizer to write: a shipped one or a folder")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--format", choices=("onnx",), default="onnx", help="format of the files")
    parser.add_argument(
        "--channels", type=int, metavar="K", help="keep the first K channels of the latent (default: all)"
    )
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")


def run(arguments: argparse.Namespace) -> None:
    """Write the files, and say where they are."""
    from tubelet.checkpoint import find, read_continuous
    from tubelet.files import check_folder
    from tubelet.interop.onnx.export import FILES, export_onnx

    folder = find(arguments.tokenizer)
    check_folder(arguments.output, holds=FILES, sources=[folder], force=arguments.force)
    checkpoint = read_continuous(folder)
    export_onnx(checkpoint, arguments.output, channels=arguments.channels, force=arguments.force)
    show_table(
        [
            ("tokenizer", checkpoint.name),
            *((name, f"{(arguments.output / name).stat().st_size / 1e6:.1f} MB") for name in FILES[:2]),
            ("what goes in and out", str(arguments.output / FILES[2])),
            (
                "measure it",
                f"tubelet bench --with {arguments.tokenizer} onnx:{arguments.output} -o bench.json",
            ),
        ]
    )
