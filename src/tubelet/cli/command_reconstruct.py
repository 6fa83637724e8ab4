"""Encode a video, decode it again, and measure what came back.

Writes the reconstruction and the .tube file beside it, and prints quality, size and time. PSNR is of the
decoded 8-bit RGB frames, before the video file is compressed again by its own codec, over the whole clip.

for example:
  tubelet reconstruct holiday.mp4                      writes holiday.tubelet.mp4 and holiday.tubelet.tube
  tubelet reconstruct holiday.mp4 -o back.mkv          lossless video of the reconstruction
  tubelet reconstruct holiday.mp4 --channels 4 --side-by-side
  tubelet reconstruct holiday.mp4 --channels 4 --tokenizer tubelet-flow --refine 1 --seed 0
"""

import argparse
from pathlib import Path

from tubelet.cli import options
from tubelet.cli.command_encode import tube_rows
from tubelet.cli.console import show_table
from tubelet.cli.progress import progress
from tubelet.files import check_suffix, fitted_name

NAME = "reconstruct"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("input", type=Path, metavar="IN", help="a video, an image, a GIF, or frames as .npy")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help="video to write (default: IN.tubelet.mp4, beside IN)"
    )
    options.add_tokenizer(parser, default="tubelet-m-rate")
    options.add_channels(parser)
    options.add_step(parser)
    options.add_refine(parser)
    parser.add_argument(
        "--side-by-side", action="store_true", help="show the source at the left of the reconstruction"
    )
    options.add_json(parser)
    options.add_common(parser)


def run(arguments: argparse.Namespace) -> None:
    """Reconstruct, then print the figures."""
    usual = fitted_name(arguments.input.stem, ".tubelet.mp4")
    output = arguments.output or arguments.input.parent / usual
    reconstruct(arguments, output=output)


def reconstruct(arguments: argparse.Namespace, *, output: Path) -> None:
    """Reconstruct `arguments.input` into `output`; print the figures, and write them if asked to."""
    from tubelet.codec.reconstruct import reconstruct_file, tube_beside
    from tubelet.results import write_results
    from tubelet.video.write import SUFFIXES

    check_suffix(output, SUFFIXES, "a video")
    tube = tube_beside(output)
    options.check_outputs(
        [output, tube],
        arguments.json,
        inputs=[arguments.input],
        tokenizer=arguments.tokenizer,
        force=arguments.force,
    )
    with progress("reconstructing") as shown:
        result = reconstruct_file(
            arguments.input,
            output,
            tokenizer=arguments.tokenizer,
            channels=arguments.channels,
            refine=arguments.refine,
            seed=arguments.seed,
            step=arguments.step,
            side_by_side=arguments.side_by_side,
            **options.file_options(arguments, shown),
        )
    report = result.tube
    pixels = report.frames * report.height * report.width
    with options.tables_beside(arguments.json):
        show_table(
            [
                ("video", str(output)),
                *tube_rows(tube, report),
                ("tokenizer", result.tokenizer),
                ("quality", f"{result.psnr_db:.2f} dB PSNR"),
                ("source", f"{options.bytes_text(result.source_bytes)} on disk"),
                ("time", f"{result.seconds:.1f} s, {pixels / result.seconds / 1e6:.1f} Mpx/s"),
            ]
        )
    if arguments.json is not None:
        figures = {name: getattr(result, name) for name in result.__slots__ if name != "tube"}
        figures["tube"] = {name: getattr(report, name) for name in report.__slots__}
        write_results(arguments.json, protocol="tubelet reconstruct", figures=figures, force=arguments.force)
