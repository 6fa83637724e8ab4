"""Random changes of a JSON value, and of a text of lines, as a fault or a person makes them."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**53, 2**64 - 1, -(2**63), 0.0, -0.5, 1e-300, 1e14, 1e308, -1e308),
    *(
        "",
        " ",
        "$",
        "$x^$",
        "_name",
        "a\nb",
        "\x1b[2J",
        "\ud800",
        "\u202e",
        "../../etc/passwd",
        "0/0",
        "1e999",
    ),
    *("%s{}\\", "<script>", "&amp;", "|", "x" * 3000, "映画", [], {}, [[]], {"": None}, {"mean": 1}),
)
"""Values that stand where others are expected."""


def changed(value: Any, random: np.random.Generator) -> Any:
    """A copy with one to three changes at random places."""
    changed_value = copy.deepcopy(value)
    for _ in range(int(random.integers(1, 4))):
        places = list(_places(changed_value))
        if places:
            _change(*places[int(random.integers(len(places)))], random)
    return changed_value


def changed_lines(text: str, random: np.random.Generator) -> bytes:
    """A text of JSON lines with one that is missing, doubled, cut, of another kind, or not text at all."""
    lines = text.encode().splitlines(keepends=True)
    place = int(random.integers(len(lines)))
    match int(random.integers(6)):
        case 0:
            del lines[place]
        case 1:
            lines.insert(place, lines[int(random.integers(len(lines)))])
        case 2:
            lines[place] = lines[place][: int(random.integers(len(lines[place])))]
        case 3:
            lines[place] = json.dumps(ODD[int(random.integers(len(ODD)))]).encode() + b"\n"
        case 4:
            lines[place] = json.dumps(changed(json.loads(lines[place]), random)).encode() + b"\n"
        case _:
            data = bytearray(b"".join(lines))
            data[int(random.integers(len(data)))] = int(random.integers(256))
            return bytes(data)
    return b"".join(lines)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every list and object inside a value, with each of its indices or names."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield value, name
        yield from _places(item)


def _change(holder: Any, name: Any, random: np.random.Generator) -> None:
    odd = ODD[int(random.integers(len(ODD)))]
    match int(random.integers(5)):
        case 0:
            del holder[name]
        case 1 if isinstance(holder, dict):
            holder[odd if isinstance(odd, str) else str(odd)] = holder.pop(name)
        case 2 if isinstance(holder[name], int | float):
            holder[name] = holder[name] * float(10 ** random.uniform(-20, 20))
        case 3:
            others = list(holder.values()) if isinstance(holder, dict) else list(holder)
            holder[name] = copy.deepcopy(others[int(random.integers(len(others)))])
        case _:
            holder[name] = copy.deepcopy(odd)
