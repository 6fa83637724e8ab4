"""Descriptions of scenes as JSON, read with suspicion."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeVar, get_type_hints

from tubelet.data.scenes.parts import Appearance, Camera, Ground, Motion, Thing
from tubelet.data.scenes.scene import Scene
from tubelet.errors import OptionError, ResultsError

_Part = TypeVar("_Part")

_LARGEST = 1 << 53

_PLAIN = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def scene_to_json(scene: Scene) -> dict[str, Any]:
    """A scene as JSON holds it: every part with its fields; `scene_from_json` gives the scene again."""
    return asdict(scene)


def scene_from_json(content: object) -> Scene:
    """The scene that `scene_to_json` wrote.

    Raises:
        ResultsError: a field is missing, unknown, of another type or without meaning.
    """
    try:
        given = _given(Scene, content)
        ground = _given(Ground, given["ground"])
        colours = _items(ground["colours"], "the colours of its ground")
        ground["colours"] = tuple(_value(str, colour, "a colour of its ground") for colour in colours)
        given["things"] = tuple(map(_thing, _items(given["things"], "its things")))
        given["ground"], given["camera"] = Ground(**ground), Camera(**_given(Camera, given["camera"]))
        return Scene(**given)
    except OptionError as error:
        raise ResultsError(f"this is not a scene: {error} Render the clips again.") from error


def _thing(content: object) -> Thing:
    given = _given(Thing, content)
    return Thing(
        appearance=Appearance(**_given(Appearance, given["appearance"])),
        motion=Motion(**_given(Motion, given["motion"])),
    )


def _items(content: object, what: str) -> tuple[Any, ...]:
    if not isinstance(content, list | tuple):
        raise OptionError(f"{what} are {content!r:.40}; they are a list.")
    return tuple(content)


def _given(cls: type[_Part], content: object) -> dict[str, Any]:
    """The fields of a part, all of them and no others; plain ones are of their type."""
    types = get_type_hints(cls)
    if not isinstance(content, Mapping) or set(content) != set(types):
        known = ", ".join(types)
        raise OptionError(f"a {cls.__name__.lower()} has the fields {known}, not {content!r:.80}.")
    return {name: _value(types[name], value, name) for name, value in content.items()}


def _value(kind: object, value: object, name: str) -> object:
    if kind is float and type(value) is int and abs(value) < _LARGEST:
        return float(value)
    if kind in _PLAIN and type(value) is not kind:
        raise OptionError(f"{name} is {value!r:.40}; it is {_PLAIN[kind]}.")
    return value
