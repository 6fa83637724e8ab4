"""What a file may take: the options that say it, and how their values are read."""

import argparse
import re
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tubelet.codec.budget import Budget

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


def add_budget(
    parser: argparse.ArgumentParser, *, what: str = "what the file may take", psnr: bool = True
) -> None:
    """Add ``--budget`` and its kin, of which one may be given, ``--two-pass`` and ``--contrast``.

    Args:
        parser: takes them.
        what: the title of their group.
        psnr: whether ``--psnr`` is one of them.
    """
    group = parser.add_argument_group(f"{what} (one of them; channels go where they matter)")
    one = group.add_mutually_exclusive_group()
    one.add_argument("--budget", type=float, metavar="K", help="channels per position, in the mean")
    one.add_argument(
        "--bits-per-pixel", type=float, metavar="B", help="bits for each pixel of each frame, at most"
    )
    one.add_argument(
        "--bitrate", type=bits, metavar="R", help="bits per second, over any two seconds; such as 500k or 2M"
    )
    if psnr:
        one.add_argument("--psnr", type=float, metavar="DB", help="as few bits as give this PSNR")
    one.add_argument("--quality", type=float, metavar="Q", help="a constant quality, from 1 to 63")
    group.add_argument(
        "--two-pass", action="store_true", help="look at the whole clip first, then spend: better, and slower"
    )
    group.add_argument(
        "--contrast",
        type=float,
        metavar="A",
        help="how much less an error counts where contrast hides it: 0.25 or 0.5 for MS-SSIM, at the expense "
        "of VMAF; at most 1 (default: 0, not at all)",
    )


def contrast_of(arguments: argparse.Namespace) -> float:
    """The contrast by which a budget weighs errors; the usual one if nothing was said."""
    from tubelet.codec.contrast import CONTRAST

    return CONTRAST if arguments.contrast is None else arguments.contrast


def add_prior(parser: argparse.ArgumentParser) -> None:
    """Add ``--no-prior``."""
    parser.add_argument(
        "--no-prior", action="store_true", help="code with tables alone: larger, a little faster"
    )


def budget_of(arguments: argparse.Namespace) -> "Budget | None":
    """What `add_budget` took; none if nothing was asked for.

    Raises:
        OptionError: a value has no meaning, or ``--two-pass`` or ``--contrast`` stands alone.
    """
    from tubelet.codec.budget import Bitrate, BitsPerPixel, MeanChannels, Quality, TargetPSNR
    from tubelet.errors import OptionError

    kinds = {
        "budget": lambda value: MeanChannels(channels=value),
        "bits_per_pixel": lambda value: BitsPerPixel(bits=value),
        "bitrate": lambda value: Bitrate(bits_per_second=value),
        "psnr": lambda value: TargetPSNR(db=value),
        "quality": lambda value: Quality(level=value),
    }
    for name, make in kinds.items():
        if (value := getattr(arguments, name, None)) is not None:
            return make(value)
    alone = [
        name
        for name, given in (
            ("--two-pass", arguments.two_pass),
            ("--contrast", arguments.contrast is not None),
        )
        if given
    ]
    if alone:
        names = [f"--{name.replace('_', '-')}" for name in kinds if hasattr(arguments, name)]
        raise OptionError(
            f"{alone[0]} is given and nothing that the file may take; add {', '.join(names[:-1])} or "
            f"{names[-1]}."
        )
    return None


def bits(text: str) -> float:
    """Read a number of bits per second: ``500k``, ``2M``, ``1500000``."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([kmg]?)(?:b(?:it)?(?:/s|ps))?", text.strip().lower())
    if match is None or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a bitrate; give one such as 500k or 2M.")
    return float(Fraction(match[1]) * _UNITS[match[2]])
