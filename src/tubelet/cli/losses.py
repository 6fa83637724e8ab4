"""What many clips lose as they are read, said once for each kind: files of one camera are alike."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from tubelet.errors import LossWarning


@contextmanager
def losses_summed(clips: int) -> Iterator[None]:
    """Say what clips lose (10 bits, HDR, transparency) when the body has ended: each kind once, with a count.

    What a single clip loses is said as it is found.

    Args:
        clips: how many are read in the body.
    """
    if clips < 2:
        yield
        return
    show = warnings.showwarning
    heard: list[str] = []

    def hear(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, LossWarning):
            heard.append(str(message))
        else:
            show(message, category, filename, lineno, file, line)

    warnings.showwarning = hear
    try:
        yield
    finally:
        warnings.showwarning = show
        if heard:
            _say(heard, clips)


def _say(heard: list[str], clips: int) -> None:
    """Warn once of each kind, a clip counted once."""
    from tubelet.data.shards.losses import kind_of, kinds_of

    found: dict[tuple[str, str], tuple[str, str]] = {}
    for sentence in heard:
        clip, _, text = sentence.removesuffix(".").partition(": ")
        found.setdefault((clip, kind_of(text)), (clip, text))
    for loss in kinds_of(found.values()):
        warnings.warn(loss.said_of(clips), LossWarning, stacklevel=4)
