"""List the tokenizers that come with the package."""

import argparse

from tubelet.cli.console import show_table

NAME = "models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes: nothing."""


def run(_arguments: argparse.Namespace) -> None:
    """Print a table."""
    from tubelet.checkpoint import DEFAULT, SHIPPED, read_checkpoint, shipped

    rows: list[tuple[str, ...]] = []
    for name in shipped():
        tokenizer = read_checkpoint(name).tokenizer
        stride = tokenizer.stride
        numbers = 3 * stride.t * stride.h * stride.w
        size = sum(path.stat().st_size for path in (SHIPPED / name).iterdir())
        rows.append(
            (
                name + (" (default)" if name == DEFAULT else ""),
                str(stride),
                f"1 to {tokenizer.channels}",
                f"{numbers / tokenizer.channels:.0f}:1 and up",
                f"{size / 1e6:.2f} MB",
                "linear" if tokenizer.decoder is None else "network",
            )
        )
    show_table(rows, header=("name", "stride", "channels", "numbers in : out", "size", "kind"))
