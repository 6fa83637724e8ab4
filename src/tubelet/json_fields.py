"""Configurations as JSON: dataclasses whose fields say which values they may take, read with suspicion."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from tubelet.errors import CheckpointError, OptionError

Config = TypeVar("Config")

_BOUNDS = "bounds"
_USUAL_BOUNDS = (0, 1 << 22)
_LARGEST = 1e9


def bounded(least: int, most: int) -> Mapping[str, Any]:
    """Metadata of a field: the whole numbers that it, or each of its items, may be."""
    return MappingProxyType({_BOUNDS: (least, most)})


def fields_from_json(cls: type[Config], numbers: object, where: str) -> Config:
    """Rebuild a configuration; what its fields are by default may be left out.

    Args:
        cls: a dataclass of whole numbers, numbers, truths, texts, tuples of these, and such dataclasses.
        numbers: what the JSON says.
        where: what is named in errors, such as a folder.

    Raises:
        CheckpointError: a field is missing, unknown, of another type, or beyond its bounds.
    """
    if not isinstance(numbers, dict):
        raise CheckpointError(f"the configuration in {where} is {numbers!r:.80}. Fetch it again.")
    known = {field.name: field for field in fields(cast(Any, cls))}
    if unknown := set(numbers) - set(known):
        raise CheckpointError(
            f"{where} sets {sorted(map(str, unknown))!s:.200}, unknown to this program. Upgrade it."
        )
    if missing := [name for name, field in known.items() if field.default is MISSING and name not in numbers]:
        raise CheckpointError(f"the configuration in {where} lacks {', '.join(missing)}. Fetch it again.")
    hints = get_type_hints(cls)
    return cls(**{name: _value(hints[name], known[name], value, where) for name, value in numbers.items()})


def check_fields(config: object) -> None:
    """Raise unless each field of a configuration holds what can be stored and read again.

    Raises:
        OptionError: one is of another type, or beyond its bounds; says what it must be.
    """
    hints = get_type_hints(type(config))
    for field in fields(cast(Any, config)):
        value, hint = getattr(config, field.name), hints[field.name]
        try:
            _of_type(hint, value, field.metadata.get(_BOUNDS, _USUAL_BOUNDS))
        except ValueError as error:
            raise OptionError(f"{field.name} is {value!r:.60}; it is {error}.") from error


def _value(hint: Any, field: Field[Any], value: object, where: str) -> object:  # noqa: ANN401  a type
    if is_dataclass(hint):
        return fields_from_json(cast("type[Any]", hint), value, where)
    try:
        if get_origin(hint) is tuple and is_dataclass(item := get_args(hint)[0]):
            return tuple(
                fields_from_json(cast("type[Any]", item), each, where) for each in _items(value, None)
            )
        return _of_type(hint, value, field.metadata.get(_BOUNDS, _USUAL_BOUNDS))
    except ValueError as error:
        raise CheckpointError(
            f"{where} sets {field.name} to {value!r:.80}; it must be {error}. Fetch it again."
        ) from error


def _of_type(hint: Any, value: object, bounds: tuple[int, int]) -> object:  # noqa: ANN401  a type
    """The value as a field of this type holds it.

    Raises:
        ValueError: it is of another type or beyond the bounds; says what it must be.
    """
    if get_origin(hint) is tuple:
        (item, _) = get_args(hint)
        return tuple(_of_type(item, each, bounds) for each in _items(value, None))
    if get_origin(hint) is Literal:
        if not isinstance(value, str) or value not in get_args(hint):
            raise ValueError(f"one of {', '.join(get_args(hint))}")
        return value
    if issubclass(hint, tuple):  # a named one, such as a stride
        sides = [_of_type(int, side, bounds) for side in _items(value, len(get_type_hints(hint)))]
        return cast(Any, hint)(*sides)
    if hint is float:
        if type(value) not in (int, float) or not abs(cast(float, value)) < _LARGEST:
            raise ValueError(f"a number of a size below {_LARGEST:g}")
        return float(cast(float, value))
    if type(value) is not hint:
        raise ValueError({int: "a whole number", bool: "true or false", str: "a text"}[hint])
    if hint is int and not bounds[0] <= cast(int, value) <= bounds[1]:
        raise ValueError(f"between {bounds[0]} and {bounds[1]}")
    return value


def _items(value: object, length: int | None) -> list[object]:
    """The items of a list."""
    if not isinstance(value, list | tuple) or not value or (length is not None and len(value) != length):
        raise ValueError("a list with something in it" if length is None else f"a list of {length} numbers")
    return list(cast("list[object]", value))
