"""Measure speed, latency, memory and cost of tokenizers, ours and others in turn.

Systems are texts:
  tubelet-m                    a tokenizer of ours, in streams; tubelet-m@16 keeps 16 channels
  tubelet-m:way=whole          the same, all latent steps of a clip at once
  diffusers:my/vae,tiling=true an autoencoder of diffusers, a folder or an id of the hub
  diffusers:AutoencoderKLWan   by its class: as its author configures it, with random weights
  onnx:my/folder@16            what `tubelet export` wrote, run by onnxruntime; openvino:my/folder by OpenVINO
  x264:crf=28                  a codec, in one thread

The others are compared with the first. Without --sizes and --frames every system gets 17 frames of 256x256,
and those that are fast enough longer and larger clips.

for example:
  tubelet bench -o bench.json
  tubelet bench --with tubelet-m diffusers:AutoencoderKLWan --sizes 256x256 --frames 17 -o bench.json
"""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.cli import options
from tubelet.cli.tables import show
from tubelet.evaluate.cases import PATIENCE, Size
from tubelet.evaluate.speed.figures import absences
from tubelet.evaluate.speed.grid import FORMATS, LENGTHS, MODES, SIZES, all_cases, usual_cases
from tubelet.files import printable

if TYPE_CHECKING:
    from tubelet.report.read import Stored

NAME = "bench"

_HINT = (
    "\nothers beside them: --with tubelet-m diffusers:AutoencoderKLWan diffusers:AutoencoderKLCosmos "
    "(pip install 'tubelet[diffusers]'), x264:crf=28"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--with",
        dest="systems",
        nargs="+",
        metavar="SYSTEM",
        help="what is measured (default: the tokenizers that come with the package)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the figures, as .json"
    )
    parser.add_argument(
        "--sizes", nargs="+", default=[], type=_size, metavar="WxH", help="sizes of frames (default: 256x256)"
    )
    parser.add_argument(
        "--frames", nargs="+", default=[], type=int, metavar="N", help="lengths of clips (default: 17)"
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="256x256 to 1920x1080 and 1 to 257 frames, for what --sizes and --frames do not say",
    )
    parser.add_argument(
        "--formats",
        nargs="+",
        choices=FORMATS,
        default=FORMATS,
        help="what networks compute in (default: both)",
    )
    parser.add_argument(
        "--modes",
        nargs="+",
        choices=MODES,
        default=MODES[:1],
        help="as they are (default), or compiled by PyTorch, which takes a C++ compiler on a CPU",
    )
    options.add_device(parser)
    parser.add_argument(
        "--rounds", type=int, default=3, metavar="N", help="turns of every system (default: 3)"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        metavar="SECONDS",
        help=f"a system that takes longer for a clip is left out (default: {PATIENCE:g})",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="of every system (default: all cores)")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")


def run(arguments: argparse.Namespace) -> None:
    """Measure, write the file, and print a table."""
    from tubelet.cli.progress import progress
    from tubelet.evaluate.speed.run import Benchmark, bench, steps
    from tubelet.report.read import read_own

    chosen = arguments.full or arguments.sizes or arguments.frames
    sizes = arguments.sizes or (SIZES if arguments.full else ())
    lengths = arguments.frames or (LENGTHS if arguments.full else ())
    benchmark = Benchmark(
        systems=tuple(arguments.systems or _shipped()),
        target=arguments.output,
        cases=all_cases(sizes, lengths, patience=arguments.patience)
        if chosen
        else usual_cases(arguments.patience),
        formats=tuple(dict.fromkeys(arguments.formats)),
        modes=tuple(dict.fromkeys(arguments.modes)),
        device=arguments.device,
        rounds=arguments.rounds,
        threads=arguments.threads,
        force=arguments.force,
    )
    with progress("measuring", total=steps(benchmark), unit="steps") as advance:
        bench(benchmark, on_step=advance)
    show_figures(read_own(arguments.output))
    print(f"\nall figures: {printable(arguments.output)}")
    if not arguments.systems:
        print(_HINT)


def show_figures(bench: "Stored") -> None:
    """Print a table for each clip, one of how cost grows with length, and what is absent."""
    from tubelet.report.cost import bench_line, bench_tables

    print(printable(bench_line(bench)))
    for table in bench_tables(bench):
        show(table)
    for sentence in absences(bench.figures["rows"]):
        print(f"\n{printable(sentence)}")


def _shipped() -> list[str]:
    """The tokenizers that come with the package."""
    from tubelet.checkpoint import shipped

    return shipped()


def _size(text: str) -> Size:
    """Read ``1920x1080``."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; give columns x rows, such as 1920x1080.")
    return Size(int(match[1]), int(match[2]))
