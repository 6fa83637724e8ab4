"""What many clips lose as they are read, said once for each kind: files of one camera are alike."""

import re
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
        for count, first in _kinds(heard):
            said = f"{count} of {clips} clips lose something; of the first, {first}"
            warnings.warn(said, LossWarning, stacklevel=3)


def _kinds(heard: list[str]) -> list[tuple[int, str]]:
    """How many clips each kind of sentence was said of, and the first sentence; the most frequent first."""
    kinds: dict[str, dict[str, str]] = {}
    for text in dict.fromkeys(heard):
        clip, _, loss = text.partition(": ")
        # Of others numbers in it may differ.
        kinds.setdefault(re.sub(r"\d+", "#", loss), {}).setdefault(clip, text)
    found = [(len(clips), next(iter(clips.values()))) for clips in kinds.values()]
    return sorted(found, key=lambda kind: -kind[0])
