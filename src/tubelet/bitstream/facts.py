"""The one JSON text of the header: integers, strings, booleans, lists and dictionaries; no fractions.

It is canonical, so that the same facts are the same bytes: keys sorted, no spaces, UTF-8 as it is.
"""

import json
from collections.abc import Iterable
from typing import NoReturn

from tubelet.errors import BitstreamError

DEPTH = 4
"""Header, audio, parameters, and one to spare; or header, bases, those of a token."""


def facts_to_bytes(facts: dict[str, object], *, depth: int = DEPTH) -> bytes:
    """The canonical text.

    Args:
        facts: what it holds.
        depth: how deep lists and dictionaries may be nested.

    Raises:
        BitstreamError: a fact is of another kind, a number needs more than 64 bits, or a string holds half a
            character (a lone surrogate), which no UTF-8 can.
    """
    _check_plain(facts, levels=depth, most=depth)
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BitstreamError(
            f"{error.object[error.start : error.end]!r} in the header is not a whole character. Leave it out."
        ) from error


def bytes_to_facts(data: bytes, *, depth: int = DEPTH) -> dict[str, object]:
    """Undo `facts_to_bytes`, of the same depth.

    Raises:
        BitstreamError: the text is not a JSON object, holds a fraction, or is not canonical.
    """
    try:
        facts = json.loads(data.decode("utf-8"), parse_float=_no_fraction, parse_constant=_no_fraction)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise BitstreamError(f"the header is not JSON text: {error}. The file is damaged.") from error
    if not isinstance(facts, dict) or facts_to_bytes(facts, depth=depth) != data:
        raise BitstreamError(
            "the header is not canonical JSON: one object, keys sorted, no spaces. It is damaged."
        )
    return facts


def check_keys(facts: dict[str, object], keys: Iterable[str], what: str) -> None:
    """Check that exactly these keys are there.

    Raises:
        BitstreamError: one is missing, or there is one that this version does not know.
    """
    expected = set(keys)
    if missing := sorted(expected - facts.keys()):
        raise BitstreamError(
            f"{what} lacks {', '.join(missing):.200}. The file was not written by the format."
        )
    if unknown := sorted(facts.keys() - expected):
        raise BitstreamError(
            f"{what} holds {', '.join(unknown):.200}, unknown to its format version. Upgrade this program."
        )


def text(facts: dict[str, object], key: str) -> str:
    """A string."""
    value = facts[key]
    return value if isinstance(value, str) else _wrong(key, value, "a string")


def flag(facts: dict[str, object], key: str) -> bool:
    """True or false."""
    value = facts[key]
    return value if isinstance(value, bool) else _wrong(key, value, "true or false")


def integer(facts: dict[str, object], key: str) -> int:
    """A whole number."""
    value = facts[key]
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool)
        else _wrong(key, value, "a whole number")
    )


def integers(facts: dict[str, object], key: str) -> tuple[int, ...]:
    """A list of whole numbers."""
    value = facts[key]
    if not isinstance(value, list) or any(type(item) is not int for item in value):
        _wrong(key, value, "a list of whole numbers")
    return tuple(value)


def lists_of_integers(facts: dict[str, object], key: str) -> tuple[tuple[int, ...], ...]:
    """A list of lists of whole numbers, one list at least."""
    return tuple(integers({key: item}, key) for item in _filled_list(facts, key, "lists of whole numbers"))


def dictionaries(facts: dict[str, object], key: str) -> tuple[dict[str, object], ...]:
    """A list of dictionaries, one at least."""
    values = _filled_list(facts, key, "dictionaries")
    return tuple(item if isinstance(item, dict) else _wrong(key, item, "a dictionary") for item in values)


def dictionary_or_none(facts: dict[str, object], key: str) -> dict[str, object] | None:
    """A dictionary, or nothing."""
    value = facts[key]
    return value if value is None or isinstance(value, dict) else _wrong(key, value, "null or a dictionary")


def pairs(facts: dict[str, object], key: str) -> tuple[tuple[int, int], ...]:
    """A list of lists of two whole numbers; it may be empty."""
    value = facts[key]
    if not isinstance(value, list):
        _wrong(key, value, "a list of lists of two whole numbers")
    return tuple(pair({key: item}, key) for item in value)


def triple(facts: dict[str, object], key: str) -> tuple[int, int, int]:
    """A list of three whole numbers."""
    value = integers(facts, key)
    return value if len(value) == 3 else _wrong(key, list(value), "a list of three whole numbers")


def pair(facts: dict[str, object], key: str) -> tuple[int, int]:
    """A list of two whole numbers."""
    value = integers(facts, key)
    return value if len(value) == 2 else _wrong(key, list(value), "a list of two whole numbers")


def open_facts(facts: dict[str, object], key: str) -> dict[str, int | str | bool]:
    """A dictionary of plain facts under any names: whole numbers, strings, booleans."""
    value = facts[key]
    if not isinstance(value, dict) or any(not isinstance(item, int | str) for item in value.values()):
        _wrong(key, value, "a dictionary of whole numbers, strings and booleans")
    return value


def _check_plain(value: object, *, levels: int, most: int) -> None:
    """Check that a value and all inside it are what this JSON may hold, so many levels deep."""
    if isinstance(value, dict | list | tuple) and levels:
        for item in value.values() if isinstance(value, dict) else value:
            _check_plain(item, levels=levels - 1, most=most)
    elif not (
        value is None or isinstance(value, str) or (isinstance(value, int) and -(2**63) <= value < 2**63)
    ):
        raise BitstreamError(
            f"the header holds {value!r:.80}; it may hold strings, booleans, whole numbers of 64 bits, and "
            f"lists and dictionaries of these, up to {most} deep."
        )


def _filled_list(facts: dict[str, object], key: str, items: str) -> list[object]:
    value = facts[key]
    return (
        value if isinstance(value, list) and value else _wrong(key, value, f"a list of {items}, one at least")
    )


def _wrong(key: str, value: object, rule: str) -> NoReturn:
    raise BitstreamError(f"{key} in the header is {value!r:.80}; it must be {rule}. The file is damaged.")


def _no_fraction(literal: str) -> NoReturn:
    raise BitstreamError(f"the header holds {literal:.40}; its numbers are whole. The file is damaged.")
