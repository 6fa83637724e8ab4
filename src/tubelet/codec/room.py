"""What a file claims, held against the memory that it may take, before any of it is asked for."""

from tubelet.errors import OptionError


class RoomError(OptionError):
    """What a file claims needs more memory than is allowed."""


def check_room(what: str, needed: int, memory: int) -> None:
    """Raise unless something that a file claims fits into memory.

    Args:
        what: what it is, for the message.
        needed: bytes that it takes.
        memory: bytes that are allowed.

    Raises:
        RoomError: it does not.
    """
    if needed > memory:
        raise RoomError(
            f"{what} would take {needed} bytes; memory is {memory}. Allow more with --memory, if the file is "
            "to be believed."
        )
