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


def summed(entries: Iterable[Entry]) -> list[Loss]:
    """Each kind of loss once, the most frequent first.

    Args:
        entries: clips, in any order.
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    for entry in entries:
        for text in entry.losses:
            kinds.setdefault(re.sub(r"\d+", "#", text), []).append((entry.source, text))
    losses = [
        Loss(text=min(found)[1], clips=len(found), first=min(found)[0]) for _, found in sorted(kinds.items())
    ]
    return sorted(losses, key=lambda loss: -loss.clips)
