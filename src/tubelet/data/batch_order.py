"""Which clips make which batch of an epoch: by seed and epoch alone, so that any process can go on."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

Numbers = Int64[np.ndarray, " n"]
"""Of clips."""

Batch = Int64[np.ndarray, " _"]
"""Numbers of the clips of a batch."""


class Order(NamedTuple):
    """How clips are put into batches.

    Attributes:
        batch: clips of a batch; all of one shape.
        shuffle: whether shards, and clips within a window, are taken at random.
        window: clips that are shuffled with one another, in shards that are read one after the other.
        seed: of the random choices.
    """

    batch: int
    shuffle: bool
    window: int
    seed: int


def batches_of(shards: Numbers, shapes: Numbers, order: Order, *, epoch: int) -> list[Batch]:
    """The batches of an epoch, each the numbers of its clips; every clip is in one of them.

    Of each shape the last batch may be smaller. Batches come in the order in which they fill up, so that
    reading goes through the shards once.

    Args:
        shards: for each clip, in the order in which they are stored, its shard.
        shapes: for each clip, the number of its shape.
        order: how.
        epoch: from 0; with the seed it decides the random choices.
    """
    numbers = np.arange(len(shards), dtype=np.int64)
    generator = np.random.default_rng((order.seed, epoch))
    if order.shuffle:
        numbers = _shuffled(numbers, shards, order.window, generator)
    batches: list[Batch] = []
    filling: dict[int, list[int]] = {}
    for number, shape in zip(numbers.tolist(), shapes[numbers].tolist(), strict=True):
        bucket = filling.setdefault(shape, [])
        bucket.append(number)
        if len(bucket) == order.batch:
            batches.append(np.array(filling.pop(shape), dtype=np.int64))
    batches.extend(np.array(bucket, dtype=np.int64) for _, bucket in sorted(filling.items()))
    return batches


def _shuffled(numbers: Numbers, shards: Numbers, window: int, generator: np.random.Generator) -> Numbers:
    """Shards at random, and then clips at random within each window of them."""
    ranks = generator.permutation(int(shards.max()) + 1 if len(shards) else 0)
    ordered = numbers[np.argsort(ranks[shards], kind="stable")]
    for begin in range(0, len(ordered), window):
        ordered[begin : begin + window] = generator.permutation(ordered[begin : begin + window])
    return ordered
