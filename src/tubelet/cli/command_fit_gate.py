"""Fit what a tokenizer that predicts shows of its predictions, by how still places were; in minutes.

Where nothing moves the last frame is a better guess than a prediction. The result is the same tokenizer with
a gate of a few numbers, fitted to windows of crops and as many rendered scenes.

for example:
  tubelet fit-gate predict-mine --data crops -o predict-gated
  tubelet continue my.mp4 --tokenizer predict-gated --seconds 0.5 -o longer.mp4
"""

import argparse
import sys
from pathlib import Path

from tubelet.cli import options
from tubelet.cli.console import as_word
from tubelet.cli.progress import progress
from tubelet.files.names import text_name

NAME = "fit-gate"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("tokenizer", metavar="NAME|DIR", help="tokenizer that predicts")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DATA", help="folder of crops (`tubelet prepare`)"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="checkpoint to write")
    parser.add_argument("--windows", type=int, default=512, help="clips to fit to (default: 512)")
    parser.add_argument("--seed", type=int, default=0, help="of the random choices (default: 0)")
    options.add_json(parser)
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")


def run(arguments: argparse.Namespace) -> None:
    """Fit, write the checkpoint, and say what it is worth."""
    from tubelet import checkpoint
    from tubelet.data.crops import open_crops
    from tubelet.files import check_folder, printable
    from tubelet.tokenizers.save import FILES
    from tubelet.train.tokenizer.card import gate_card
    from tubelet.train.tokenizer.fit_gate import fit_gate

    source = checkpoint.find(arguments.tokenizer)
    options.check_outputs([], arguments.json, inputs=list(source.iterdir()), force=arguments.force)
    check_folder(arguments.output, holds=FILES, sources=[source, arguments.data], force=arguments.force)
    crops, tokenizer = open_crops(arguments.data), checkpoint.load(source)
    with progress("fitting", total=arguments.windows, unit="windows") as advance:
        fitted = fit_gate(
            tokenizer, crops, windows=arguments.windows, seed=arguments.seed, on_windows=advance
        )
    card = gate_card(
        (source / "card.md").read_text(encoding="utf-8"),
        fitted,
        made_by=printable(" ".join(["tubelet", *sys.argv[1:]])),
        clips=len(crops.clips),
        windows=arguments.windows,
    )
    fitted.tokenizer.save(arguments.output, card=card, force=arguments.force)
    rows = [
        ("tokenizer", str(arguments.output)),
        ("last frame goes on", f"{fitted.still:.2f} dB"),
        ("predicted", f"{fitted.predicted:.2f} dB"),
        ("blended", f"{fitted.gated:.2f} dB"),
        ("use it", f"tubelet continue my.mp4 -o longer.mp4 --tokenizer {as_word(arguments.output)}"),
    ]
    figures = {
        "tokenizer": text_name(str(arguments.output)),
        "last_frame_psnr_db": fitted.still,
        "predicted_psnr_db": fitted.predicted,
        "blended_psnr_db": fitted.gated,
    }
    options.show_result(arguments, rows, figures)
