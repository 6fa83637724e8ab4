"""What a run says while it makes ready, which may take minutes."""

from collections.abc import Callable


def progress_messages(
    on_message: Callable[[str], None], what: str, *, every: int
) -> Callable[[int, int], None]:
    """Says now and then how much is done.

    Args:
        on_message: called with a line.
        what: is done, in the plural: ``clips are encoded``.
        every: after how many of them a line is said; one comes at the end too.
    """

    def say(done: int, of: int) -> None:
        if done == of or not done % every:
            on_message(f"{done} of {of} {what}.")

    return say
