"""What callers give public functions, looked at where it comes in: paths, numbers, functions."""

import math
import os
from collections.abc import Callable
from fractions import Fraction
from numbers import Rational, Real
from operator import index
from pathlib import Path
from typing import SupportsIndex

import numpy as np

from tubelet.errors import OptionError


def as_path(given: Path | str, name: str) -> Path:
    """Where a file or folder lies.

    Args:
        given: its path.
        name: of the argument, for the message.

    Raises:
        OptionError: it is of another type, or no file can be called so.
    """
    path = as_video(given, name)
    if "\0" in str(path):
        raise OptionError(f"{name} is {str(path)!r:.80}; no file's name holds the character 0. Leave it out.")
    return path


def as_video(given: Path | str, name: str) -> Path:
    """Where a video lies; whether there can be one is said by what opens it. As `as_path`.

    Raises:
        OptionError: it is of another type.
    """
    path = os.fspath(given) if isinstance(given, str | os.PathLike) else given
    if isinstance(path, np.ndarray):
        raise OptionError(
            f"{name} is an array of {path.dtype} {path.shape}; it is a path. Frames in memory need no file: "
            "tubelet.to_model makes model input of them. np.save makes a file of them."
        )
    if not isinstance(path, str):
        raise OptionError(
            f"{name} is {_shown(given)}; it is a path. Give text or a pathlib.Path; `os.fsdecode` makes text "
            "of bytes."
        )
    return Path(path)


def as_whole(given: object) -> int | None:
    """A whole number, also one of NumPy or of a tensor without axes, as int; None for all else, bool too."""
    if isinstance(given, bool) or not isinstance(given, SupportsIndex):
        return None
    try:
        return index(given)
    except TypeError:  # a tensor of something else
        return None


def check_whole_numbers(**numbers: object) -> None:
    """Raise unless these are whole numbers, such as frames, rows and columns.

    Raises:
        OptionError: one is not.
    """
    for name, number in numbers.items():
        if as_whole(number) is None:
            cure = f"Give int({name})." if isinstance(number, Real | str) else "Give one."
            raise OptionError(f"{name} is {_shown(number)}; it is a whole number. {cure}")


def check_numbers(**numbers: object) -> None:
    """Raise unless these are numbers, whole ones or others.

    Raises:
        OptionError: one is not.
    """
    for name, number in numbers.items():
        if not isinstance(number, Real):
            cure = "Give one." if number is None else f"Give float({name})."
            raise OptionError(f"{name} is {_shown(number)}; it is a number. {cure}")


def as_fraction(seconds: float | Fraction, name: str) -> Fraction:
    """A time, exactly.

    Raises:
        OptionError: it is not a finite number.
    """
    check_numbers(**{name: seconds})
    if not math.isfinite(seconds):
        raise OptionError(f"{name} is {_shown(seconds)}; a time is a finite number.")
    return Fraction(seconds if isinstance(seconds, Rational) else float(seconds))


def checked_memory(memory: int) -> int:
    """Give it back.

    Raises:
        OptionError: it is not a whole number.
    """
    number = as_whole(memory)
    if number is None:
        raise OptionError(f"memory is {_shown(memory)}; it is a number of bytes, such as {1 << 30}.")
    return number


def check_texts(**texts: object) -> None:
    """Raise unless these are texts.

    Raises:
        OptionError: one is not.
    """
    for name, text in texts.items():
        if not isinstance(text, str):
            raise OptionError(f"{name} is {_shown(text)}; it is text, in quotes.")


def check_called(**functions: Callable[..., object] | None) -> None:
    """Raise unless these can be called.

    Raises:
        OptionError: one cannot.
    """
    for name, function in functions.items():
        if not callable(function):
            raise OptionError(
                f"{name} is {_shown(function)}; it is a function that is called. Give one, or leave it out."
            )


def _shown(given: object) -> str:
    return f"{given!r:.60}"
