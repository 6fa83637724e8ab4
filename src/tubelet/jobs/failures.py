"""What one clip among many may fail of, and what becomes of the others."""

from typing import Literal

from tubelet.errors import TubeletError

OnError = Literal["skip", "stop"]
"""What becomes of the work when a clip fails."""

FAILURES = (TubeletError, OSError, RuntimeError, ValueError, ArithmeticError, MemoryError)
"""What one clip may raise without ending the work on the others."""


def reason_of(error: Exception) -> str:
    """Why a clip failed, in words."""
    kind = "" if isinstance(error, TubeletError) else f"{type(error).__name__}: "
    return f"{kind}{error}"
