"""The model of a part whose symbols another prior knows, under the name that the file says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from tubelet.bitstream.symbol_model import CodingTable, Exchange, SymbolModel


@final
@dataclass(frozen=True, eq=False)
class ModelBeside:
    """A `SymbolModel` that answers as the one of the prior beside does.

    Attributes:
        name: what the header of a file calls its prior.
        sha256: of that prior, which depends on that of the one beside.
        model: of the prior beside.
    """

    name: str
    sha256: str
    model: SymbolModel

    @property
    def groups(self) -> Sequence[tuple[int, int]]:
        """Those of the model."""
        return self.model.groups

    @property
    def tables(self) -> Sequence[CodingTable]:
        """Those of the model."""
        return self.model.tables

    def code_counts(self, shape: tuple[int, int, int], classes: int, exchange: Exchange) -> NDArray[np.int32]:
        """Code the map of counts; see `SymbolModel`."""
        return self.model.code_counts(shape, classes, exchange)

    def code_group(
        self, group: int, lower: NDArray[np.int32], counts: NDArray[np.int32] | None, exchange: Exchange
    ) -> NDArray[np.int32]:
        """Code a group of channels; see `SymbolModel`."""
        return self.model.code_group(group, lower, counts, exchange)
