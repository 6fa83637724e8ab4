"""What files of tokens take on disk: `python benchmarks/token_bytes.py FOLDER [TOKENIZER ...]`.

`--untrained RECIPE --data DATA` measures the linear tokenizer that a recipe starts from and needs no weights.
Writes JSON and prints a Markdown table.
"""

import argparse
import math
import tempfile
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from tubelet.bitstream.segment import UNIFORM, encode_symbols
from tubelet.checkpoint import save
from tubelet.codec.tokenize import tokenize_file
from tubelet.codec.tube import open_tube
from tubelet.data.clips import find_clips
from tubelet.data.crops import open_crops
from tubelet.errors import LossWarning
from tubelet.recipes.table import make_config
from tubelet.results import write_results
from tubelet.tokenizers.config import DiscreteConfig
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.train.tokenizer.start import fitted_quantizer, start_from_crops
from tubelet.video.probe import probe

PROTOCOL = (
    "token_bytes: whole clips as they are, without their audio, those of 50,000 to 250,000 positions by the "
    "container's count of frames. over_entropy is the file's size, headers and all, over the zeroth-order "
    "entropy of its digits, each by itself in each chunk. one_digit is the first 9 steps (33 frames) with "
    "the token as one digit of a large base, as VQ has it: bytes with a table of counts, without, nominal."
)

FEWEST, MOST = 50_000, 250_000
SHORT = 9


def main() -> None:
    """Measure and write benchmarks/results/token_bytes.json."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=PROTOCOL)
    parser.add_argument("folder", type=Path)
    parser.add_argument("tokenizers", nargs="*", type=Path)
    parser.add_argument("-o", type=Path, default=Path("benchmarks/results/token_bytes.json"))
    parser.add_argument("--untrained", metavar="RECIPE")
    parser.add_argument("--data", type=Path, help="prepared crops that the linear tokenizer is fitted to")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", LossWarning)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folders = {path.name: path for path in arguments.tokenizers}
        if arguments.untrained:
            made = linear(arguments.untrained, arguments.data, Path(scratch) / "linear")
            folders[f"{arguments.untrained}, linear"] = made
        for name, folder in folders.items():
            figures[name] = {}
            for clip in find_clips(arguments.folder):
                if FEWEST <= positions(clip) <= MOST:
                    figures[name][clip.name] = measure(clip, folder, Path(scratch) / "clip.tube")
                    print(row(clip.name, figures[name][clip.name]), flush=True)
    write_results(arguments.o, protocol=PROTOCOL, figures=figures)


def linear(recipe: str, data: Path, folder: Path) -> Path:
    """The checkpoint of a recipe's start, without networks, which change nothing yet."""
    config = make_config(recipe)
    if config.quantizer is None:
        raise SystemExit(f"recipe {recipe} makes no tokens; name one with a quantiser, such as fsq.")
    model = replace(config.model, encoder_blocks=0, decoder_blocks=0)
    crops = open_crops(data)
    backbone = start_from_crops(model, crops, seed=config.seed)
    quantizer = fitted_quantizer(config.quantizer, backbone, crops, seed=config.seed)
    tokenizer = DiscreteTokenizer(backbone, quantizer)
    named = DiscreteConfig(name="linear", backbone=model, quantizer=config.quantizer)
    return save(tokenizer, named, folder, card="# linear\n")


def positions(clip: Path) -> int:
    """About how many positions of 4x8x8 a clip has."""
    info = probe(clip)
    return (info.frames or 0) // 4 * -(-info.height // 8) * -(-info.width // 8)


def measure(clip: Path, folder: Path, target: Path) -> dict[str, Any]:
    """The figures of one clip."""
    report = tokenize_file(clip, target, tokenizer=folder, audio=False, force=True)
    with open_tube(target, tokenizer=folder) as tube:
        grid = tube.tokens(0, min(SHORT, report.steps))
    return asdict(report) | {
        "bits_per_pixel": report.bits_per_pixel,
        "nominal_bits_per_pixel": report.nominal_bits_per_pixel,
        "over_entropy": report.bytes_total / report.entropy_bytes,
        "one_digit": one_digit(grid.tokens[0, 0].numpy().astype(np.int32).ravel(), grid.codebook_sizes[0]),
    }


def one_digit(tokens: np.ndarray, size: int) -> dict[str, Any]:
    """A segment whose symbols are whole tokens, in both forms."""
    chosen = encode_symbols(tokens, size)
    return {
        "tokens": tokens.size,
        "different": len(np.unique(tokens)),
        "with_table": len(encode_symbols(tokens).to_bytes()),
        "chosen": len(chosen.to_bytes()),
        "chosen_has_table": chosen.table != UNIFORM,
        "nominal": tokens.size * math.log2(size) / 8,
        "entropy": chosen.entropy_bits / 8,
    }


def row(name: str, figures: dict[str, Any]) -> str:
    """A line of the table."""
    usage, short = figures["usage"][0], figures["one_digit"]
    return (
        f"| {name[:40]} | {figures['tokens']} | {usage['used']} | {usage['perplexity']:.0f} | "
        f"{figures['bits_per_pixel']:.4f} | {figures['nominal_bits_per_pixel']:.4f} | "
        f"{figures['over_entropy']:.4f} | {short['tokens']} | {short['with_table']} | {short['chosen']} | "
        f"{short['nominal']:.0f} |"
    )


if __name__ == "__main__":
    main()
