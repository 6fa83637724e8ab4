"""The pickles that torch writes, read as data.

Nothing that they name is called, looked up or made.
A pickle is a program for a small stack machine. `pickletools` of the standard library tells its instructions
apart without obeying them; here those are followed that build plain values, and whatever would be a call is
kept as the name of the function and its arguments.
"""

import pickletools
from collections.abc import Callable
from typing import IO, Any, NamedTuple, Protocol, cast, runtime_checkable

_MOST = 10_000_000
"""Instructions of one pickle."""


@runtime_checkable
class Readable(Protocol):
    """A file, or a part of memory, that is read from where it stands."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes."""
        ...

    def readline(self) -> bytes:
        """What there is up to the next end of a line."""
        ...

    def tell(self) -> int:
        """Where it stands."""
        ...


class Global(NamedTuple):
    """The name of a class or function, which is not looked up.

    Attributes:
        path: module and name, such as ``torch.FloatStorage``.
    """

    path: str


class Call(NamedTuple):
    """What a call would give, which does not happen.

    Attributes:
        function: name of the function; empty if it is the result of another call.
        arguments: of the call.
    """

    function: str
    arguments: tuple[Any, ...]


class Reference(NamedTuple):
    """What lies outside of the pickle.

    Attributes:
        parts: how the pickle names it.
    """

    parts: tuple[Any, ...]


class _Mark:
    """Where on the stack the parts of a value begin."""


def read_pickle(file: Readable) -> Any:  # noqa: ANN401  whatever a pickle holds
    """The value of a pickle; the file stands behind it afterwards.

    Lists, dicts, sets, tuples, texts, bytes, numbers, true, false and none are themselves; ``OrderedDict`` is
    a dict. Everything else is a `Global`, a `Call` or a `Reference`.

    Args:
        file: at the pickle's first byte.

    Raises:
        ValueError: it is damaged, longer than ten million instructions, or has one that torch does not write.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    count = 0
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(cast(IO[bytes], file))):
            if opcode.name == "STOP" or count == _MOST:
                break
            _apply(opcode.name, argument, stack, memo)
    except (IndexError, KeyError, TypeError, UnicodeDecodeError, OverflowError, AttributeError) as error:
        raise ValueError(f"the pickle in it is damaged ({type(error).__name__})") from error
    if len(stack) != 1 or count == _MOST:
        raise ValueError("the pickle in it has no end")
    return stack[0]


def _apply(name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:  # noqa: ANN401
    """Apply one instruction to the stack.

    Raises:
        ValueError: torch does not write such a one.
    """
    if name in _VALUES:
        stack.append(argument)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name]())
    elif name in _TUPLES:
        parts = [stack.pop() for _ in range(_TUPLES[name])]
        stack.append(tuple(reversed(parts)))
    elif name in {"BINPUT", "LONG_BINPUT", "PUT"}:
        memo[argument] = stack[-1]
    elif name == "MEMOIZE":
        memo[len(memo)] = stack[-1]
    elif name in {"BINGET", "LONG_BINGET", "GET"}:
        stack.append(memo[argument])
    elif name in _ACTIONS:
        _ACTIONS[name](stack)
    elif name == "GLOBAL":
        stack.append(Global(argument.replace(" ", ".")))
    elif name not in {"PROTO", "FRAME"}:
        raise ValueError(f"the pickle in it has an instruction {name}, which weights do not need")


def _since_mark(stack: list[Any]) -> list[Any]:
    """Take what lies on the stack above the last mark, and the mark."""
    parts: list[Any] = []
    while not isinstance(part := stack.pop(), _Mark):
        parts.append(part)
    return parts[::-1]


def _set_items(stack: list[Any], parts: list[Any]) -> None:
    target = stack[-1]
    if isinstance(target, dict):
        target.update(zip(parts[::2], parts[1::2], strict=True))


def _append_items(stack: list[Any], parts: list[Any]) -> None:
    target = stack[-1]
    if isinstance(target, list):
        target.extend(parts)
    elif isinstance(target, set):
        target.update(parts)


def _call(stack: list[Any]) -> None:
    arguments, function = stack.pop(), stack.pop()
    path = function.path if isinstance(function, Global) else ""
    if path == "collections.OrderedDict":
        pairs = arguments[0] if arguments else ()
        stack.append(dict(pairs))
    else:
        stack.append(Call(path, tuple(arguments)))


def _name(stack: list[Any]) -> None:
    name, module = stack.pop(), stack.pop()
    stack.append(Global(f"{module}.{name}" if isinstance(name, str) and isinstance(module, str) else ""))


def _refer(stack: list[Any]) -> None:
    parts = stack.pop()
    stack.append(Reference(parts if isinstance(parts, tuple) else (parts,)))


def _make_dict(stack: list[Any]) -> None:
    parts = _since_mark(stack)
    stack.append(dict(zip(parts[::2], parts[1::2], strict=True)))


def _drop_since_mark(stack: list[Any]) -> None:
    _since_mark(stack)


def _drop_argument(stack: list[Any]) -> None:
    stack.pop()


_VALUES = frozenset(
    [
        *("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT"),
        *(
            "BINUNICODE",
            "SHORT_BINUNICODE",
            "BINUNICODE8",
            "UNICODE",
            "STRING",
            "BINSTRING",
            "SHORT_BINSTRING",
        ),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    ]
)
"""Instructions that bring their value."""

_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_SET": set,
    "EMPTY_TUPLE": tuple,
    "MARK": _Mark,
}

_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}

_ACTIONS: dict[str, Callable[[list[Any]], None]] = {
    "TUPLE": lambda stack: stack.append(tuple(_since_mark(stack))),
    "LIST": lambda stack: stack.append(_since_mark(stack)),
    "DICT": _make_dict,
    "SETITEM": lambda stack: _set_items(stack, [stack.pop(), stack.pop()][::-1]),
    "SETITEMS": lambda stack: _set_items(stack, _since_mark(stack)),
    "APPEND": lambda stack: _append_items(stack, [stack.pop()]),
    "APPENDS": lambda stack: _append_items(stack, _since_mark(stack)),
    "ADDITEMS": lambda stack: _append_items(stack, _since_mark(stack)),
    "REDUCE": _call,
    "NEWOBJ": _call,
    "BUILD": _drop_argument,
    "STACK_GLOBAL": _name,
    "BINPERSID": _refer,
    "POP": _drop_argument,
    "POP_MARK": _drop_since_mark,
    "DUP": lambda stack: stack.append(stack[-1]),
}
"""Instructions that take from the stack and put something there."""
