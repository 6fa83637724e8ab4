"""How a command ended, and whether it refused what it was given as it should."""

from typing import NamedTuple

PATIENCE = 300.0
"""Seconds after which a command hangs; machines may be busy, and what is tested is not how fast they are."""


class Ended(NamedTuple):
    code: int | str | None
    out: str
    err: str


def refused(ended: Ended, code: int, *parts: str) -> bool:
    """Whether a command ended with one line that says what was wrong."""
    lines = ended.err.splitlines()
    assert ended.code == code, ended
    assert "Traceback" not in ended.err
    assert [line for line in lines if "error: " in line] == lines[-1:], ended.err
    return all(part in lines[-1] for part in parts)
