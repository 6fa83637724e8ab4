"""What clips held that a data set does not: 10 bits, HDR, transparency; summed up, because many are alike."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tubelet.data.shards.index import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One kind of loss.

    Attributes:
        text: a sentence, as it is said of the first clip; of others numbers in it may differ.
        clips: how many have it.
        first: the source of the first of them, by name.
    """

    text: str
    clips: int
    first: str

    def said_of(self, clips: int) -> str:
        """Say it of so many clips, of which some have it."""
        return f"{self.clips} of {clips} clips lose something; of the first, {self.first}: {self.text}."


def summed(entries: Iterable[Entry]) -> list[Loss]:
    """Each kind of loss once, the most frequent first.

    Args:
        entries: clips, in any order.
    """
    found = [(entry.source, text) for entry in entries for text in entry.losses]
    return kinds_of(sorted(found, key=lambda each: (kind_of(each[1]), each)))


def kinds_of(found: Iterable[tuple[str, str]]) -> list[Loss]:
    """Each kind of loss once, as it stands of the first that has it; the most frequent first.

    Args:
        found: names of clips, and sentences of what they lose.
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    for clip, text in found:
        kinds.setdefault(kind_of(text), []).append((clip, text))
    losses = [Loss(text=alike[0][1], clips=len(alike), first=alike[0][0]) for alike in kinds.values()]
    return sorted(losses, key=lambda loss: -loss.clips)


def kind_of(text: str) -> str:
    """What sentences about one kind of loss have in common: all but numbers."""
    return re.sub(r"\d+", "#", text)
