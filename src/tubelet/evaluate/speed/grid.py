"""What is measured: clips of a size and a length, and systems in a number format and a mode."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, NamedTuple

from tubelet.evaluate.cases import PATIENCE, Case, Size
from tubelet.evaluate.systems.codec_table import CODECS

FORMATS = ("float32", "bfloat16")
MODES = ("eager", "compiled")

QUICK = 5.0
"""Patience where nobody asked for a clip by name, so that the usual run takes minutes."""

SIZES = (Size(256, 256), Size(512, 512), Size(1280, 720), Size(1920, 1080))
LENGTHS = (1, 17, 33, 65, 129, 257)

_USUAL_SIZE, _USUAL_LENGTH = SIZES[0], 17
_USUAL_LENGTHS = (1, 17, 65, 257)


class Variant(NamedTuple):
    """A system as it is measured.

    Attributes:
        system: its text.
        number_format: what its networks compute in; none for a codec.
        mode: eager or compiled; none for a codec.
    """

    system: str
    number_format: str | None
    mode: str | None

    def __str__(self) -> str:
        return ", ".join(word for word in self if word)

    def to_json(self) -> dict[str, Any]:
        """What it is, for the results."""
        return {"system": self.system, "format": self.number_format, "mode": self.mode}


def usual_cases(patience: float = PATIENCE) -> tuple[Case, ...]:
    """One clip for every system; longer and larger ones for those that are fast."""
    lengths = [(_USUAL_SIZE, frames) for frames in _USUAL_LENGTHS]
    sizes = [(size, _USUAL_LENGTH) for size in SIZES]
    quick = min(QUICK, patience)
    return _in_order(
        Case(size=size, frames=frames, patience=patience if (size, frames) == lengths[1] else quick)
        for size, frames in dict.fromkeys(lengths + sizes)
    )


def all_cases(
    sizes: Sequence[Size] = (), lengths: Sequence[int] = (), *, patience: float = PATIENCE
) -> tuple[Case, ...]:
    """Clips of every size in every length; of the usual ones for none."""
    pairs = product(dict.fromkeys(sizes or [_USUAL_SIZE]), dict.fromkeys(lengths or [_USUAL_LENGTH]))
    return _in_order(Case(size=size, frames=frames, patience=patience) for size, frames in pairs)


def variants(systems: Sequence[str], formats: Sequence[str], modes: Sequence[str]) -> list[Variant]:
    """Every system in every number format and mode."""
    found: list[Variant] = []
    for system in systems:
        if system.partition(":")[0] in CODECS:
            found.append(Variant(system, None, None))
        else:
            found += [Variant(system, *way) for way in product(formats, modes)]
    return found


def _in_order(cases: Iterable[Case]) -> tuple[Case, ...]:
    """Small before large and short before long: the small ones tell what the large ones will take."""
    return tuple(sorted(cases, key=lambda case: (case.size.width * case.size.height, case.size, case.frames)))
