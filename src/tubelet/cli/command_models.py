"""List the tokenizers that come with the package."""

import argparse
from typing import TYPE_CHECKING

from tubelet.cli.console import show_table

if TYPE_CHECKING:
    from tubelet.types import Stride

NAME = "models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes: nothing."""


def run(_arguments: argparse.Namespace) -> None:
    """Print a table."""
    from tubelet.checkpoint import DEFAULT, DEFAULT_DISCRETE, SHIPPED, architecture, shipped

    rows: list[tuple[str, ...]] = []
    for name in shipped():
        size = sum(path.stat().st_size for path in (SHIPPED / name).iterdir())
        facts = _discrete(name) if architecture(name) == "discrete" else _continuous(name)
        stride, content, ratio, kind = facts
        mark = " (default)" if name in {DEFAULT, DEFAULT_DISCRETE} else ""
        rows.append((name + mark, stride, content, ratio, f"{size / 1e6:.2f} MB", kind))
    show_table(rows, header=("name", "stride", "channels", "numbers in : out", "size", "kind"))


def _continuous(name: str) -> tuple[str, str, str, str]:
    """Stride, content, ratio and kind of a tokenizer that gives latents."""
    from tubelet.checkpoint import read_checkpoint

    tokenizer = read_checkpoint(name).tokenizer
    return (
        str(tokenizer.stride),
        f"1 to {tokenizer.channels}",
        f"{_numbers(tokenizer.stride) / tokenizer.channels:.0f}:1 and up",
        "linear" if tokenizer.decoder is None else "network",
    )


def _discrete(name: str) -> tuple[str, str, str, str]:
    """Stride, content, ratio and kind of a tokenizer that gives tokens."""
    from tubelet.checkpoint import read_discrete

    tokenizer = read_discrete(name).tokenizer
    sizes = tokenizer.codebook_sizes
    return (
        str(tokenizer.stride),
        f"{len(sizes)} token{'s' if len(sizes) > 1 else ''} of {', '.join(map(str, dict.fromkeys(sizes)))}",
        f"{_numbers(tokenizer.stride) / len(sizes):.0f}:1",
        f"{'linear' if tokenizer.backbone.decoder is None else 'network'}, tokens",
    )


def _numbers(stride: "Stride") -> int:
    """Numbers of the video that a position stands for."""
    return 3 * stride.t * stride.h * stride.w
