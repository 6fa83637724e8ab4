"""What a larger clip will take, from the smaller ones that were measured."""

import math
import re
from pathlib import Path
from typing import NamedTuple

from tubelet.evaluate.cases import Case

_MEMORY = Path("/proc/meminfo")


class _Known(NamedTuple):
    case: Case
    seconds: float
    taken_mib: float


class _Failed(NamedTuple):
    case: Case
    patience: float
    reason: str


class Forecast:
    """Time grows with pixels; memory with pixels too, or with those of one frame where clips are streams.

    Args:
        on_cpu: whether memory is that of the machine.
    """

    def __init__(self, *, on_cpu: bool) -> None:
        self._on_cpu = on_cpu
        self._known: list[_Known] = []
        self._failed: list[_Failed] = []

    def learn(self, case: Case, *, seconds: float, taken_mib: float) -> None:
        """Remember what a clip took.

        Args:
            case: the clip.
            seconds: there and back.
            taken_mib: by how much memory grew.
        """
        self._known.append(_Known(case, seconds, taken_mib))

    def give_up(self, case: Case, reason: str, *, patience: float = math.inf) -> None:
        """Remember that a clip was too much, for so much patience."""
        self._failed.append(_Failed(case, patience, reason))

    def objection(self, case: Case, *, in_streams: bool) -> str | None:
        """Why a clip is better left out; none if nothing is known against it."""
        for failed in self._failed:
            if failed.case.pixels <= case.pixels and case.patience <= failed.patience:
                return f"{failed.case} were too much already: {failed.reason}"
        # A single frame may cost as much as a whole group.
        known = [each for each in self._known if each.case.frames > 1 and each.case.pixels <= case.pixels]
        if not known:
            return None
        last = max(known, key=lambda each: each.case.pixels)
        seconds = last.seconds * case.pixels / last.case.pixels
        if seconds > case.patience:
            return (
                f"it would take about {seconds:.3g} s, as {last.case} took {last.seconds:.3g} s; the "
                f"patience is {case.patience:g} s"
            )
        grown = _area(case) / _area(last.case) if in_streams else case.pixels / last.case.pixels
        needed, free = last.taken_mib * grown, _available_mib() if self._on_cpu else None
        if free is not None and needed > free:
            return f"it would take about {needed:.0f} MiB more memory, and {free:.0f} MiB are free"
        return None


def _area(case: Case) -> int:
    return case.size.width * case.size.height


def _available_mib() -> float | None:
    """Memory that nobody needs; none where the system does not tell."""
    if not _MEMORY.exists():
        return None
    match = re.search(r"^MemAvailable:\s+(\d+) kB$", _MEMORY.read_text(), flags=re.MULTILINE)
    return None if match is None else int(match[1]) / 1024
