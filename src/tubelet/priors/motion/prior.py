"""A prior of motion: which table each context has, and the tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from tubelet.bitstream.modelled import ModelTables
from tubelet.bitstream.part_header import PartHeader
from tubelet.bitstream.symbol_model import CodingTable, SymbolModel
from tubelet.errors import CheckpointError
from tubelet.json_fields import bounded
from tubelet.priors.motion.contexts import CONTEXTS, FLAGS
from tubelet.priors.motion.model import FlagModel, VectorModel
from tubelet.priors.tables import TOTAL

VECTORS, PLAIN = "motion", "plain"
"""The names of the parts that it is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionPriorConfig:
    """The numbers that make a prior of motion, and nothing else.

    Attributes:
        name: what files call it.
        tokenizer: name of the tokenizer.
        tokenizer_sha256: its fingerprint.
        channels: of vectors: two for each frame that has some.
        tables: how many.
        reach: residuals from which on, to each side, all are one entry of a table.
    """

    name: str
    tokenizer: str
    tokenizer_sha256: str
    channels: int = field(metadata=bounded(2, 62))
    tables: int = field(metadata=bounded(1, 1 << 12))
    reach: int = field(metadata=bounded(2, 1 << 12))


@final
class MotionPrior:
    """A prior of vectors and flags.

    Args:
        config: its numbers.
        weights: its arrays, by the names of `motion_weight_shapes`.
        sha256: fingerprint of both.

    Raises:
        CheckpointError: a table is none, or a context has none.
    """

    def __init__(
        self, config: MotionPriorConfig, weights: Mapping[str, NDArray[np.integer]], *, sha256: str
    ) -> None:
        self.config = config
        self.sha256 = sha256
        self._table_of = {name: weights[name].astype(np.int32) for name in ("of_vectors", "of_flags")}
        frequencies = weights["frequencies"].astype(np.int64)
        most = max(int(each.max()) for each in self._table_of.values())
        least = min(int(each.min()) for each in self._table_of.values())
        if (
            frequencies.min() < 1
            or np.any(frequencies.sum(axis=1) != TOTAL)
            or not 0 <= least <= most < len(frequencies)
        ):
            raise CheckpointError(
                f"the tables of {config.name} are damaged: frequencies are at least 1 and add up to {TOTAL}, "
                f"and contexts have tables 0 to {len(frequencies) - 1}. Fetch the prior again."
            )
        self.tables = ModelTables([CodingTable(-config.reach, row, open=True) for row in frequencies])

    def model_of(self, part: PartHeader) -> SymbolModel | None:
        """The model of a part of a file; none of one that it is not for."""
        if part.counts or part.bases:
            return None
        name, sha256 = self.config.name, self.sha256
        if part.name == VECTORS and part.channels == self.config.channels:
            return VectorModel(name, sha256, part.channels, self.tables, self._table_of["of_vectors"])
        if part.name == PLAIN and part.channels == 1:
            return FlagModel(name, sha256, self.tables, self._table_of["of_flags"])
        return None


def motion_weight_shapes(config: MotionPriorConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Kind and shape of every array of a prior of motion, by name."""
    return {
        "of_vectors": ("uint8", (CONTEXTS,)),
        "of_flags": ("uint8", (FLAGS,)),
        "frequencies": ("int32", (config.tables, 2 * config.reach + 1)),
    }
