"""What a header says of one part of a latent, or of the one grid of tokens (SPEC.md, section 4)."""

from dataclasses import dataclass
from itertools import chain

from tubelet.bitstream import limits
from tubelet.bitstream.facts import check_keys, integer, integers, lists_of_integers, pairs, text, triple
from tubelet.errors import BitstreamError

LATENT, TOKENS = "latent", "tokens"
"""What a file can hold. The one part of files of versions 1 and 2 is called so too."""

Stride = tuple[int, int, int]
"""Frames, rows and columns of pixels per position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartHeader:
    """The symbols of one part: how many there are of a position, and what they stand for.

    They are a quantised latent, and `steps` says what they stand for; or they are the digits of tokens, and
    `bases` does. The other one is empty.
    """

    name: str
    channels: int
    """Channels of every chunk, most important first; of tokens, the digits of a position."""
    stride: Stride
    """Frames, rows and columns of pixels per position of this part."""
    rows: int
    """Rows of positions."""
    columns: int
    """Columns of positions."""
    steps: tuple[int, ...] = ()
    """Quantiser step of each channel in units of 2^-20: latent = symbol x step / 2^20."""
    bases: tuple[tuple[int, ...], ...] = ()
    """For each token of a position, how many values each of its digits has; the first counts least."""
    counts: tuple[int, ...] = ()
    """The numbers of channels that a position may have, increasing; none if every position has all."""
    centroids: tuple[tuple[int, int], ...] = ()
    """For each channel, how much nearer to zero symbols of magnitude 1, and of greater magnitude, are
    reconstructed, in 1/256 of a step; none if no symbol is."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= limits.NAME:
            raise BitstreamError(
                f"a part is called {self.name!r:.80}; its name must have 1 to {limits.NAME} characters."
            )
        for name, side in (("rows", self.rows), ("columns", self.columns)):
            check_range(f"{name} of part {self.name!r}", side, 1, limits.SIDE)
        for side in self.stride:
            check_range(f"stride of part {self.name!r}", side, 1, limits.SIDE)
        check_range(f"channels of part {self.name!r}", self.channels, 1, limits.CHANNELS)
        if self.bases:
            self._check_bases()
        elif len(self.steps) != self.channels:
            raise BitstreamError(
                f"{len(self.steps)} steps for {self.channels} channels; each channel has one."
            )
        for step in self.steps:
            check_range("a step", step, 1, (1 << 32) - 1)
        self._check_counts()
        self._check_centroids()

    @property
    def content(self) -> str:
        """`LATENT` or `TOKENS`."""
        return TOKENS if self.bases else LATENT

    @property
    def digit_bases(self) -> tuple[int, ...]:
        """How many values each channel has, where channels are digits; empty for a latent."""
        return tuple(chain.from_iterable(self.bases))

    @property
    def has_map(self) -> bool:
        """Whether a chunk says how many channels each position has: there is more than one choice."""
        return len(self.counts) > 1

    def to_facts(self) -> dict[str, object]:
        """As it stands in the list of parts in the header's JSON."""
        return {name: getattr(self, name) for name in _keys(self.content)}

    @classmethod
    def from_facts(cls, facts: dict[str, object], *, content: str) -> "PartHeader":
        """Undo `to_facts`, in a file of this content.

        Raises:
            BitstreamError: a fact is missing, unknown, or outside its range.
        """
        check_keys(facts, _keys(content), "a part in the header")
        latent = content == LATENT
        return cls(
            name=text(facts, "name"),
            channels=integer(facts, "channels"),
            stride=triple(facts, "stride"),
            rows=integer(facts, "rows"),
            columns=integer(facts, "columns"),
            steps=integers(facts, "steps") if latent else (),
            bases=() if latent else lists_of_integers(facts, "bases"),
            counts=integers(facts, "counts"),
            centroids=pairs(facts, "centroids") if latent else (),
        )

    def _check_bases(self) -> None:
        if self.steps:
            raise BitstreamError(
                "the header has steps and bases; a file holds a latent or tokens. Leave one out."
            )
        if min(map(len, self.bases)) < 1 or sum(map(len, self.bases)) != self.channels:
            raise BitstreamError(
                f"tokens of {[len(token) for token in self.bases]!s:.200} digits for {self.channels} "
                "channels; a token has at least one digit, and each digit is a channel."
            )
        for base in self.digit_bases:
            check_range("a base", base, 2, limits.BASE)

    def _check_counts(self) -> None:
        if not self.counts:
            return
        rising = all(one < other for one, other in zip(self.counts, self.counts[1:], strict=False))
        if not rising or self.counts[0] < 0 or self.counts[-1] > self.channels:
            raise BitstreamError(
                f"counts of part {self.name!r} are {list(self.counts)!s:.200}; they must increase and lie "
                f"within 0 to its {self.channels} channels."
            )

    def _check_centroids(self) -> None:
        if not self.centroids:
            return
        if self.bases or len(self.centroids) != self.channels:
            raise BitstreamError(
                f"{len(self.centroids)} centroids for {self.channels} channels of {self.content}; each "
                "channel of a latent has a pair of them, or none has."
            )
        for shift in chain.from_iterable(self.centroids):
            check_range("a centroid", shift, 0, limits.CENTROID)


def check_range(name: str, value: int, least: int, most: int) -> None:
    """Raise unless a number lies within its bounds.

    Raises:
        BitstreamError: it does not.
    """
    if not least <= value <= most:
        raise BitstreamError(f"{name} is {value}; it must be {least} to {most} in a .tube file.")


def _keys(content: str) -> tuple[str, ...]:
    """What a part of a file of this content holds, and nothing else."""
    common = ("name", "channels", "stride", "rows", "columns", "counts")
    return (*common, "steps", "centroids") if content == LATENT else (*common, "bases")
