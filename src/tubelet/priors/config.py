"""The numbers that make a prior, and nothing else."""

from dataclasses import dataclass, field
from itertools import pairwise

from tubelet.errors import CheckpointError
from tubelet.json_fields import bounded
from tubelet.priors.passes import PASSES
from tubelet.priors.predictor import GroupShape
from tubelet.priors.tables import LARGEST_BASE

_CHANNELS = bounded(1, 1 << 12)

MAP_SHAPE_PASSES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPrior:
    """Another prior, as a configuration and the header of a file name it.

    Attributes:
        name: what it is called.
        sha256: its fingerprint.
    """

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorConfig:
    """A prior of the symbols of one tokenizer.

    Attributes:
        name: what files call it.
        tokenizer: name of the tokenizer.
        tokenizer_sha256: its fingerprint.
        ends: channel past the last of each group; they rise.
        passes: in which each group is coded, 2 or 4.
        hidden: features of each hidden layer.
        steps: quantiser step of each channel, in units of 2^-20, at which the class of the step is 0; none of
            digits.
        bases: of digits; none of a latent.
        entries: of all tables of a latent's symbols together.
        part: which part of a latent of several it is for; any that has such channels for no name.
        beside: priors of the other parts of that latent.
    """

    name: str
    tokenizer: str
    tokenizer_sha256: str
    ends: tuple[int, ...] = field(metadata=_CHANNELS)
    passes: tuple[int, ...] = field(metadata=bounded(min(PASSES), max(PASSES)))
    hidden: int = field(metadata=bounded(1, 1 << 10))
    steps: tuple[int, ...] = field(default=(), metadata=bounded(1, 2**32 - 1))
    bases: tuple[int, ...] = field(default=(), metadata=bounded(2, LARGEST_BASE))
    entries: int = field(default=0, metadata=bounded(0, 1 << 22))
    part: str = ""
    beside: tuple[NamedPrior, ...] = ()

    def __post_init__(self) -> None:
        rising = bool(self.ends) and all(a < b for a, b in pairwise((0, *self.ends)))
        whole = len(self.passes) == len(self.ends) and set(self.passes) <= set(PASSES)
        one_kind = bool(self.steps) != bool(self.bases)
        if not (rising and whole and one_kind and len(self.steps or self.bases) == self.ends[-1]):
            raise CheckpointError(
                f"a prior has groups that end at {self.ends}, passes {self.passes}, {len(self.steps)} steps "
                f"and {len(self.bases)} bases; ends rise, each group has 2 or 4 passes, and every "
                "channel has a step or every one a base. The prior is damaged: fetch it again."
            )

    @property
    def groups(self) -> tuple[tuple[int, int], ...]:
        """First channel, and the one past the last, of each group."""
        return tuple(pairwise((0, *self.ends)))

    def group_shape(self, group: int) -> GroupShape:
        """Sizes of a group's network."""
        start, stop = self.groups[group]
        return GroupShape(lower=start, own=stop - start, passes=self.passes[group], hidden=self.hidden)

    def map_shape(self) -> GroupShape:
        """Sizes of the network of the map of counts."""
        return GroupShape(lower=0, own=1, passes=MAP_SHAPE_PASSES, hidden=self.hidden)
