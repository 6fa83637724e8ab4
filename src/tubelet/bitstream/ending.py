"""When the last frame of a clip stops being shown, which no later timestamp says (SPEC.md, section 5)."""

from collections.abc import Sequence

from tubelet.bitstream import limits
from tubelet.bitstream.fields import Cursor, sealed, signed, unsealed
from tubelet.errors import BitstreamError

END_BYTES = 14
"""Length of the payload at most: a number of ten bytes and its checksum."""


def usual_end(times: Sequence[int]) -> int | None:
    """The end of a clip whose file says none: its last frame lasts as long as the one before it.

    Args:
        times: when the last two frames are shown; or the only one, whose end is not known then.
    """
    if len(times) < 2:
        return None
    before, last = times
    end = 2 * last - before
    return end if end <= limits.TIMESTAMP else None


def end_to_bytes(end: int, *, last: int) -> bytes:
    """The payload of the record that says when the frame shown at `last` ends.

    Raises:
        BitstreamError: the end is not behind the frame, or beyond `limits.TIMESTAMP`.
    """
    if not last < end <= limits.TIMESTAMP:
        raise BitstreamError(
            f"the last frame is shown at {last} and ends at {end}; it must end later, and at most at "
            f"{limits.TIMESTAMP}. Leave the end out if it is not known."
        )
    return sealed(signed(end))


def bytes_to_end(data: bytes, *, last: int) -> int:
    """Undo `end_to_bytes`.

    Raises:
        BitstreamError: the record is damaged, or its end is not behind the frame.
    """
    cursor = Cursor(unsealed(data, "the end of the last frame"), "the end of the last frame")
    end = cursor.signed("the end", most=limits.TIMESTAMP)
    cursor.finish()
    if end <= last:
        raise cursor.broken(f"it is {end}, and the frame is shown at {last}")
    return end
