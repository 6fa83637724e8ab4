"""Options that several commands take, and how their values are read."""

import argparse
import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.cli.console import show_table
from tubelet.cli.log import terminal_shows
from tubelet.cli.progress import Progress
from tubelet.errors import OptionError
from tubelet.files import STANDARD_OUTPUT, check_suffix, check_targets

if TYPE_CHECKING:
    from tubelet.codec.options import FileOptions
    from tubelet.evaluate.weights import Weights
    from tubelet.generate.checkpoint import TextToVideo
    from tubelet.generate.kinds import Sampling

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def add_tokenizer(parser: argparse.ArgumentParser, *, default: str = "") -> None:
    """Add ``--tokenizer`` and ``--device``; `default` is what is said of the tokenizer for none."""
    said = f" (default: {default})" if default else ""
    parser.add_argument(
        "--tokenizer",
        metavar="NAME|DIR",
        help=f"a shipped tokenizer (`tubelet models`) or a checkpoint's folder{said}",
    )
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        "--device",
        default="cpu",
        metavar="NAME",
        help="where to compute: cpu (default), cuda, or cuda:N for the GPU of number N",
    )


def add_channels(parser: argparse.ArgumentParser) -> None:
    """Add ``--channels``."""
    parser.add_argument(
        "--channels",
        type=int,
        metavar="K",
        help="use the K most important channels only; fewer is smaller and coarser (default: all)",
    )


def add_step(parser: argparse.ArgumentParser) -> None:
    """Add ``--step``."""
    parser.add_argument(
        "--step",
        type=float,
        default=1.0,
        metavar="Q",
        help="coarseness of the quantiser: 2 is twice as coarse, 0.5 twice as fine (default: 1)",
    )


def add_refine(parser: argparse.ArgumentParser) -> None:
    """Add ``--refine`` and ``--seed``."""
    parser.add_argument(
        "--refine",
        type=int,
        default=0,
        metavar="N",
        help="let a tokenizer with a flow make up the detail that its frames lack, in N steps; 4 is usual "
        "(default: 0, its plain decoder)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="S",
        help="which detail --refine makes up: the same seed, the same video (default: 0)",
    )


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add ``--no-audio``, ``--memory`` and ``--force``."""
    parser.add_argument("--no-audio", action="store_true", help="leave the audio out")
    add_memory(parser)
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")


def add_memory(parser: argparse.ArgumentParser) -> None:
    """Add ``--memory``."""
    parser.add_argument(
        "--memory",
        type=size,
        default=1 << 30,
        metavar="SIZE",
        help="what frames in flight, the state of networks and the work on them may take, beside some 300MiB "
        "of the program itself; such as 512MiB (default: 1GiB)",
    )


def file_options(arguments: argparse.Namespace, shown: Progress) -> "FileOptions":
    """What `add_common` and `add_device` took, as functions from file to file want it."""
    return {
        "audio": not arguments.no_audio,
        "memory": arguments.memory,
        "device": arguments.device,
        "force": arguments.force,
        "on_total": shown.expect,
        "on_frames": shown,
    }


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """Add ``--guidance``, ``--steps``, ``--method`` and ``--temperature``; `samplings` reads them."""
    parser.add_argument(
        "--guidance",
        type=float,
        metavar="G",
        help="how closely the prompt is followed; 1 is the model as it is (default: the generator's kind has "
        "its own, 2 to 3)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        metavar="N",
        help="from noise, or from hidden tokens, to video; an autoregressive generator has none (default: "
        "about 25)",
    )
    parser.add_argument(
        "--method",
        choices=("euler", "heun"),
        help="of diffusion: heun is more exact and takes twice as long a step (default: euler)",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        metavar="T",
        help="of tokens: below 1 the likelier ones are preferred, 0 takes the likeliest (default: 1)",
    )


def samplings(arguments: argparse.Namespace, models: "Sequence[TextToVideo]") -> "list[Sampling]":
    """How each generator is to make clips, by those arguments of `add_sampling` that its kind has.

    Raises:
        OptionError: one of them has no meaning, or none for any of these kinds.
    """
    from tubelet.generate.kinds import samplings_for

    return samplings_for(
        [(model.network, model.name) for model in models],
        guidance=arguments.guidance,
        steps=arguments.steps,
        method=arguments.method,
        temperature=arguments.temperature,
    )


def weights_of(text: str) -> "Weights":
    """Read ``lpips=FILE:SHA256``, of ``--weights``.

    Raises:
        OptionError: it is not of that form, or there is no such network.
    """
    from tubelet.evaluate.weights import Weights

    network, equals, rest = text.partition("=")
    path, colon, digest = rest.rpartition(":")
    if not (equals and colon and path):
        raise OptionError(
            f"{text!r} names no weights; give NETWORK=FILE:SHA256, such as lpips=vgg.safetensors:…"
        )
    return Weights(network=network, path=Path(path), sha256=digest)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json FILE``."""
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write the figures as JSON too; - is standard output, and the table goes to standard error",
    )


def check_outputs(
    outputs: Iterable[Path],
    figures: Path | None,
    *,
    inputs: Iterable[Path],
    tokenizer: str | None = None,
    force: bool,
) -> None:
    """Raise before any work is done if a file that a command names cannot be written.

    Args:
        outputs: files that are going to be written.
        figures: the file of figures; none where none was asked for.
        inputs: files that are read.
        tokenizer: the name or folder of the tokenizer that is read; none for one that is shipped.
        force: whether files that exist are replaced.

    Raises:
        OptionError, OutputError: as `tubelet.files.check_targets`.
    """
    targets = list(outputs)
    if figures is not None and figures != STANDARD_OUTPUT:
        check_suffix(figures, (".json",), "a file of figures")
        targets.append(figures)
    folder = None if tokenizer is None else Path(tokenizer)
    weights = [] if folder is None or not folder.is_dir() else list(folder.iterdir())
    check_targets(targets, sources=[*inputs, *weights], force=force)


@contextmanager
def tables_beside(figures: Path | None) -> Iterator[None]:
    """Print tables on standard error, or nowhere if that is quiet, while figures go to standard output."""
    with ExitStack() as stack:
        if figures == STANDARD_OUTPUT:
            beside = sys.stderr
            if not terminal_shows(logging.INFO):
                beside = stack.enter_context(Path(os.devnull).open("w"))
            stack.enter_context(redirect_stdout(beside))
        yield


def show_result(
    arguments: argparse.Namespace, rows: list[tuple[str, ...]], figures: Mapping[str, object]
) -> None:
    """Print what a command did as a table, and write it as JSON if ``--json`` asks for it."""
    from tubelet.results import write_results

    with tables_beside(arguments.json):
        show_table(rows)
    if arguments.json is not None:
        write_results(
            arguments.json,
            protocol=arguments.parser.prog,
            figures=dict(figures),
            force=arguments.force,
        )


def size(text: str) -> int:
    """Read an amount of memory: ``1GiB``, ``512 MiB``, ``800M``, ``1073741824``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]i?)?b?", text.strip().lower())
    if match is None or not float(match[1]):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an amount of memory; give one such as 512MiB or 1GiB."
        )
    return int(Fraction(match[1]) * _UNITS[match[2] or ""])


def seconds(text: str) -> float:
    """Read a time: ``2.5``, ``1:30``, ``0:01:30.5``."""
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)s?", text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time; give seconds or h:m:s, such as 2.5 or 1:30."
        )
    return 3600 * float(match[1] or 0) + 60 * float(match[2] or 0) + float(match[3])


def duration(text: str) -> float:
    """Read a span of time in seconds: ``90m``, ``1h30m``, ``45s``, ``1:30:00``; every number has a unit."""
    number = r"(\d{1,9}(?:\.\d*)?)"
    units = re.fullmatch(rf"(?:{number}h)?(?:{number}m)?(?:{number}s)?", text.strip())
    match = units or re.fullmatch(r"(\d{1,9}):(\d\d):(\d\d)", text.strip())
    length = 0.0 if match is None else sum(float(match[i] or 0) * 60 ** (3 - i) for i in (1, 2, 3))
    if not length:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a span of time; give one with units, such as 90m or 1h30m, or as h:mm:ss."
        )
    return length


def bytes_text(count: int | float) -> str:
    """A number of bytes as people read it."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"
