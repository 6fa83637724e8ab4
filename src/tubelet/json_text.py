"""JSON: of unknown origin, read so that nothing in it costs more than its text; and of our own, to write."""

import json
import math
import os
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

LARGEST_TEXT = 1 << 27
"""Bytes of a file of JSON that are read unless the caller says otherwise."""

_DEPTH = 64
"""Lists and objects inside one another."""

_WHOLE = 1 << 64
"""Whole numbers lie below this in magnitude."""

_RATIO = re.compile(r"\d{1,18}(/0*[1-9]\d{0,17})?|\d{1,9}\.\d{1,9}", re.ASCII)


def text_to_json(text: str) -> Any:  # noqa: ANN401  whatever JSON holds
    """What a JSON text says.

    Raises:
        ValueError: it is not JSON; a number is infinite, none (NaN), or whole and beyond 64 bits; or lists
            and objects are nested more than 64 deep.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"lists and objects are nested more than {_DEPTH} deep") from error
    _check(value, _DEPTH)
    return value


def read_json(path: Path, *, most: int = LARGEST_TEXT) -> Any:  # noqa: ANN401  whatever JSON holds
    """What a file of JSON says, of at most `most` bytes.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is too long, no UTF-8, or `text_to_json` refuses it.
    """
    with path.open("rb") as file:
        # Room is made for what is asked for, so no more is asked for than there is.
        data = file.read(min(most, os.fstat(file.fileno()).st_size) + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:  # whose own text holds the whole file
        raise ValueError(f"its byte {error.start} is not UTF-8") from None
    return text_to_json(text)


def of_kind(value: Any, kind: type | tuple[type, ...], name: str) -> Any:  # noqa: ANN401  whatever JSON holds
    """The value, if it is of a kind, or one of several, as `isinstance` has it; bool is not a number.

    Raises:
        TypeError: it is something else; it says what, and under which name.
    """
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        kinds = " or ".join(each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,)))
        raise TypeError(f"{name} is {value!r:.80}; it must be {kinds}")
    return value


def without_infinities(value: Any, spell: Callable[[float], str | None]) -> Any:  # noqa: ANN401  JSON
    """The same figures, with something else for infinity and NaN: JSON has no such numbers.

    Args:
        value: what will be written as JSON; tuples become lists.
        spell: what stands for a number that is not finite.
    """
    match value:
        case float():
            return value if math.isfinite(value) else spell(value)
        case dict():
            return {name: without_infinities(each, spell) for name, each in value.items()}
        case list() | tuple():
            return [without_infinities(each, spell) for each in value]
        case _:
            return value


def text_to_ratio(text: str) -> Fraction:
    """A ratio as its text, such as ``30000/1001``, ``25`` or ``23.976``.

    Raises:
        ValueError: it is none. An exponent is none either: a few digits of one are a number of any length.
    """
    if _RATIO.fullmatch(text) is None:
        raise ValueError(f"{text!r:.40} is not a ratio of whole numbers, such as 30000/1001")
    return Fraction(text)


def _check(value: object, depth: int) -> None:
    """Raise unless a value, and all inside it, are within the bounds."""
    match value:
        case dict() | list():
            if not depth:
                raise ValueError(f"lists and objects are nested more than {_DEPTH} deep")
            for item in value.values() if isinstance(value, dict) else value:
                _check(item, depth - 1)
        case int():
            if not -_WHOLE < value < _WHOLE:
                raise ValueError("a whole number has more than 64 bits")
        case float():
            if not math.isfinite(value):
                raise ValueError(f"a number is {value}, which JSON does not know or a computer cannot hold")
        case _:
            pass
