"""What is encoded into where, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tubelet.data.shards.losses import Loss
from tubelet.errors import OptionError
from tubelet.jobs.bulk.plan import PlannedClip
from tubelet.jobs.bulk.settings import BulkSettings
from tubelet.jobs.failures import OnError

SHARD_BYTES = 256 * 10**6
"""Bytes of a shard, about, unless somebody says otherwise."""

Engine = Literal["local", "ray"]
"""What encodes clips."""

MOST_SHARES = 1 << 20


@dataclass(frozen=True, slots=True)
class Share:
    """Which shards a run makes: those whose number leaves `index` when divided by `count`."""

    index: int = 0
    count: int = 1


ALL = Share()


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkEncoding:
    """What is encoded into where.

    Attributes:
        clips: in the order of their keys.
        folder: of the data set.
        settings: how clips are encoded.
        shard_bytes: of a shard, about.
        workers: processes; as many as cores for none.
        share: which shards this run makes.
        on_error: whether a clip that fails is skipped, or ends the work.
        engine: what encodes: processes of this machine, or actors of Ray.
        address: of a cluster of Ray; one of this machine alone for none.

    Raises:
        OptionError: a number has no meaning.
    """

    clips: Sequence[PlannedClip]
    folder: Path
    settings: BulkSettings = field(default_factory=BulkSettings)
    shard_bytes: int = SHARD_BYTES
    workers: int | None = None
    share: Share = ALL
    on_error: OnError = "skip"
    engine: Engine = "local"
    address: str | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise OptionError(f"workers is {self.workers}; at least one process encodes.")
        if not 0 <= self.share.index < self.share.count <= MOST_SHARES:
            raise OptionError(
                f"shard is {self.share.index}/{self.share.count}; it is i/n, with i from 0 to n - 1."
            )
        if self.address is not None and self.engine != "ray":
            raise OptionError(
                f"address is {self.address:.80}; it is of a cluster of the engine ray. Choose that."
            )
        if self.shard_bytes < 1:
            raise OptionError(f"shard_bytes is {self.shard_bytes}; a shard has at least one byte.")


@dataclass(slots=True, kw_only=True)
class BulkReport:
    """What a run does, so far.

    Attributes:
        clips: of the shards that this run makes.
        shards: that it makes.
        encoded: clips, in this run.
        kept: clips that were done before.
        failed: clips that gave no record.
        first_failed: the first of them, and why it failed; empty if none has.
        dropped: clips that were in the data set and are not listed any more.
        frames: that were encoded.
        pixels: of these frames.
        losses: what the clips of the shards that this run makes held and the data set does not, the most
            frequent first; known at the end.
    """

    clips: int = 0
    shards: int = 0
    encoded: int = 0
    kept: int = 0
    failed: int = 0
    first_failed: str = ""
    dropped: int = 0
    frames: int = 0
    pixels: int = 0
    losses: list[Loss] = field(default_factory=list)
