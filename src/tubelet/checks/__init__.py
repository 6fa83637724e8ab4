"""What public functions ask of the tensors and arrays that they are given: looked at once, at the edge."""

from tubelet.checks.arrays import (
    check_device,
    check_finite,
    check_floating,
    check_frames,
    check_whole,
    has_values,
)
from tubelet.checks.clips import check_clip, check_values, warn_of_unit_range
from tubelet.checks.pairs import check_alike, check_comparable

__all__ = [
    "check_alike",
    "check_clip",
    "check_comparable",
    "check_device",
    "check_finite",
    "check_floating",
    "check_frames",
    "check_values",
    "check_whole",
    "has_values",
    "warn_of_unit_range",
]
