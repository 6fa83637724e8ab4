"""What is measured: clips of a size and a length, and systems in a number format and a mode."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

FORMATS = ("float32", "bfloat16")
MODES = ("eager", "compiled")

CODECS = ("x264", "x265", "svtav1")
"""What a codec's text begins with: it has no number format and no mode."""

PATIENCE = 300.0
"""Seconds that going there and back may take, unless somebody says otherwise."""

QUICK = 5.0
"""The same where nobody asked for a clip by name, so that the usual run takes minutes."""


class AbsentError(Exception):
    """Something has no figure; the text says why."""


class LateError(AbsentError):
    """It took longer than there was patience."""


class Size(NamedTuple):
    """Columns and rows of pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


SIZES = (Size(256, 256), Size(512, 512), Size(1280, 720), Size(1920, 1080))
LENGTHS = (1, 17, 33, 65, 129, 257)

_USUAL_SIZE, _USUAL_LENGTH = SIZES[0], 17
_USUAL_LENGTHS = (1, 17, 65, 257)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A clip.

    Attributes:
        size: of its frames.
        frames: how many.
        patience: seconds that encoding and decoding it may take together.
    """

    size: Size
    frames: int
    patience: float = PATIENCE

    @property
    def pixels(self) -> int:
        """Of all frames."""
        return self.frames * self.size.width * self.size.height

    def __str__(self) -> str:
        return f"{self.frames} frame{'s' if self.frames > 1 else ''} of {self.size}"

    def to_json(self) -> dict[str, int]:
        """What it is, for the results."""
        return {"width": self.size.width, "height": self.size.height, "frames": self.frames}


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
