"""The fields of a configuration as options of the command line, and back.

A configuration is a frozen dataclass, whose fields are values, further dataclasses, or tuples of these. The
option of a field is its path: ``--model.width``, ``--stages.0.batch``.
"""

import argparse
import inspect
import re
from collections.abc import Callable
from dataclasses import Field, fields, is_dataclass, replace
from math import isfinite
from types import NoneType, UnionType
from typing import (
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Protocol,
    TypeGuard,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

from tubelet.types import Stride


@runtime_checkable
class Configuration(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Config = TypeVar("Config", bound=Configuration)


class Kind(NamedTuple):
    """How the value of a field is written.

    Attributes:
        read: makes the value from a word; raises `argparse.ArgumentTypeError`.
        shown: stands for the word in the help.
        words: how many words there are; none for a single value, ``+`` for any number from one.
    """

    read: Callable[[str], object]
    shown: str
    words: int | Literal["+"] | None = None


def add_fields(parser: argparse.ArgumentParser, config: Configuration) -> None:
    """Add one option per field, typed; defaults are those of `config`, and help comes from ``Attributes:``.

    Raises:
        TypeError: a field is of a type that no option can hold.
    """
    _add_group(parser, config, path="", title="fields of the recipe", about=None)


def with_fields(config: Config, namespace: argparse.Namespace) -> Config:
    """A copy of `config` with the fields that were given.

    Raises:
        OptionError: what was given contradicts something; each class checks its own fields.
    """
    return _changed(config, vars(namespace), path="")


def _add_group(
    parser: argparse.ArgumentParser, config: Configuration, *, path: str, title: str, about: str | None
) -> None:
    group = parser.add_argument_group(title, about)
    helps, types = _attributes(type(config)), get_type_hints(type(config))
    parts: list[tuple[str, Configuration, str]] = []
    for field in fields(config):
        name, value, text = path + field.name, getattr(config, field.name), helps.get(field.name, "")
        if _parts(value):
            parts += [(f"{name}.{index}", part, text) for index, part in enumerate(value)]
        elif _is_configuration(value):
            parts.append((name, value, text))
        elif not _is_absent_part(types[field.name], value):
            _add_option(group, name, types[field.name], value, text)
    for name, part, text in parts:
        _add_group(parser, part, path=f"{name}.", title=name, about=text)


def _add_option(
    group: argparse._ArgumentGroup, name: str, annotation: object, value: object, text: str
) -> None:
    kind = _kind(annotation, name)
    about = f"{text.removesuffix('.')} (default: {_text(value)})".strip().replace("%", "%%")
    group.add_argument(
        f"--{name}",
        dest=name,
        type=kind.read,
        nargs=kind.words,
        default=argparse.SUPPRESS,
        metavar=kind.shown,
        help=about,
    )


def _changed(config: Config, given: dict[str, Any], *, path: str) -> Config:
    changes: dict[str, Any] = {}
    for field in fields(config):
        name, value = path + field.name, getattr(config, field.name)
        if _parts(value):
            changes[field.name] = tuple(
                _changed(part, given, path=f"{name}.{index}.") for index, part in enumerate(value)
            )
        elif _is_configuration(value):
            changes[field.name] = _changed(value, given, path=f"{name}.")
        elif name in given:
            changes[field.name] = tuple(given[name]) if isinstance(given[name], list) else given[name]
    changes = {name: value for name, value in changes.items() if value != getattr(config, name)}
    return replace(config, **changes) if changes else config


def _is_configuration(value: object) -> TypeGuard[Configuration]:
    return is_dataclass(value) and not isinstance(value, type)


def _is_absent_part(annotation: object, value: object) -> bool:
    """Whether a field is for a dataclass and has none: then it has no fields that could be set."""
    return value is None and any(is_dataclass(each) for each in get_args(annotation))


def _parts(value: object) -> bool:
    """Whether a value is a tuple of dataclasses, which are addressed by their index."""
    return isinstance(value, tuple) and bool(value) and all(map(_is_configuration, value))


def _attributes(cls: type) -> dict[str, str]:
    """What the docstrings of a class and of those that it extends say about each attribute."""
    known: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        _, _, section = (inspect.getdoc(each) or "").partition("\nAttributes:\n")
        found = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section.split("\n\n")[0], flags=re.MULTILINE)
        known |= {name: " ".join(text.split()) for name, text in found}
    return known


def _kind(annotation: object, name: str) -> Kind:
    """How values of a type are written."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Literal and all(isinstance(choice, str) for choice in inside):
        return Kind(_one_of(inside), "|".join(inside))
    if origin in (Union, UnionType) and len(inside) == 2 and NoneType in inside:
        kind = _kind(inside[0] if inside[1] is NoneType else inside[1], name)
        if kind.words is None:
            return Kind(lambda word: None if word == "none" else kind.read(word), f"{kind.shown}|none")
    if origin is tuple and len(set(inside) - {Ellipsis}) == 1:
        kind = _kind(inside[0], name)
        if kind.words is None:
            return Kind(kind.read, kind.shown, "+" if Ellipsis in inside else len(inside))
    if isinstance(annotation, type) and annotation in _SCALARS:
        return _SCALARS[annotation]
    raise TypeError(
        f"{name} is of type {annotation}; an option holds int, float, bool, str, Stride, a Literal of words, "
        "a tuple of equals, or one of these or None."
    )


def _text(value: object) -> str:
    """A value as it is written on the command line."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple) and not isinstance(value, Stride):
        return " ".join(_text(item) for item in value)
    return str(value)


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(word: str) -> str:
        if word not in words:
            raise argparse.ArgumentTypeError(f"{word!r} is not known; give one of {', '.join(words)}.")
        return word

    return read


def _whole(word: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,18}", word):
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number; give one such as 128.")
    return int(word)


def _number(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise argparse.ArgumentTypeError(f"{word!r} is not a finite number; give one such as 0.5 or 3e-4.")
    return number


def _truth(word: str) -> bool:
    return _one_of(("true", "false"))(word) == "true"


def _stride(word: str) -> Stride:
    try:
        return Stride.parse(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


_SCALARS = {
    int: Kind(_whole, "N"),
    float: Kind(_number, "X"),
    bool: Kind(_truth, "true|false"),
    str: Kind(str, "TEXT"),
    Stride: Kind(_stride, "TxHxW"),
}
