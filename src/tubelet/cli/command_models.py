"""List the tokenizers that come with the package, and the generators."""

import argparse
import json
from typing import TYPE_CHECKING

from tubelet.cli.console import show_table

if TYPE_CHECKING:
    from tubelet.report.shipped import ShippedTokenizer

NAME = "models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--json", action="store_true", help="print the tokenizers as JSON instead")


def run(arguments: argparse.Namespace) -> None:
    """Print a table, or what is in it as JSON."""
    from tubelet.checkpoint import shipped
    from tubelet.report.shipped import describe

    models = [describe(name) for name in shipped()]
    if arguments.json:
        print(json.dumps([model._asdict() for model in models], indent=2))
        return
    header = ("name", "stride", "channels", "numbers in : out", "size", "kind")
    show_table([_row(model) for model in models], header=header)
    _show_generators()


def _show_generators() -> None:
    """Print a table of what makes videos of text, if any comes with the package."""
    from tubelet.generate.checkpoint import find_generator, read_empty_generator, shipped_generators
    from tubelet.generate.kinds import KINDS

    rows: list[tuple[str, ...]] = []
    for name in shipped_generators():
        folder = find_generator(name)
        network, _ = read_empty_generator(folder)
        config = network.config
        size = sum(path.stat().st_size for path in folder.iterdir())
        shape = f"{config.steps} steps of {config.rows}x{config.columns}"
        rows.append(
            (
                name, KINDS[network.kind].title, config.tokenizer, shape, f"{len(config.words)} words",
                f"{size / 1e6:.2f} MB",
            )
        )  # fmt: skip
    if rows:
        print()
        show_table(rows, header=("generator", "kind", "tokenizer", "at once", "vocabulary", "size"))


def _row(model: "ShippedTokenizer") -> tuple[str, ...]:
    """A tokenizer as a row of the table."""
    from tubelet.checkpoint import DEFAULT_OF_FILES

    content, ratio = f"1 to {model.channels}", f"{model.numbers_in_per_number_out:.0f}:1 and up"
    kind = "network" if model.networks else "linear"
    if (sizes := model.codebook_sizes) is not None:
        many = "s" if len(sizes) > 1 else ""
        content = f"{len(sizes)} token{many} of {', '.join(map(str, dict.fromkeys(sizes)))}"
        ratio, kind = f"{model.numbers_in_per_number_out:.0f}:1", f"{kind}, tokens"
    name = model.name
    if model.default:
        name += " (default of files)" if model.name == DEFAULT_OF_FILES else " (default)"
    return name, "x".join(map(str, model.stride)), content, ratio, f"{model.bytes / 1e6:.2f} MB", kind
