"""What a model must give to code symbols: integer tables, and which of them each symbol is coded with.

Encoder and decoder call the same functions of a model and hand it an `Exchange`: one that writes the symbols
that it knows, or one that reads them. So a model says once, for both ways, what each symbol depends on.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class CodingTable(NamedTuple):
    """How likely consecutive residuals are, as integers.

    Attributes:
        first: residual of the first entry.
        frequencies: of each entry, at least 1, adding up to 2^24; a single entry costs no bits.
        open: whether the first and the last entry, of two at least, stand for all residuals beyond them too;
            how far beyond is then stored in the segment's list of escapes, a byte at least.
    """

    first: int
    frequencies: NDArray[np.int64]
    open: bool = False


@runtime_checkable
class Exchange(Protocol):
    """Codes symbols that are coded together, none of which depends on another."""

    def __call__(
        self, places: NDArray[np.int64], offsets: NDArray[np.int32], tables: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """Code n symbols; symbol i is `offsets[i]` plus a residual that is coded with table `tables[i]`.

        Args:
            places: where the symbols stand: flat indices into the array that the model's function gives.
            offsets: what to add to each residual.
            tables: indices into the model's `tables`.

        Returns:
            The symbols, in this order.
        """
        ...


@runtime_checkable
class SymbolModel(Protocol):
    """A model of the symbols of one part, which codes them in groups of channels.

    Each function below must ask its exchange for every symbol that it gives, once, in any number of requests,
    and for nothing else; what it asks with may depend on its arguments and on earlier answers alone, and must
    be the same integers on every machine.
    """

    @property
    def name(self) -> str:
        """What the header of a file calls it."""
        ...

    @property
    def sha256(self) -> str:
        """Digest of all that its answers depend on, 64 lower-case hexadecimal digits."""
        ...

    @property
    def groups(self) -> Sequence[tuple[int, int]]:
        """First channel, and the one past the last, of consecutive groups that cover the part's channels."""
        ...

    @property
    def tables(self) -> Sequence[CodingTable]:
        """All tables that it codes with, at most 2^16."""
        ...

    def code_counts(self, shape: tuple[int, int, int], classes: int, exchange: Exchange) -> NDArray[np.int32]:
        """Code the map of counts.

        Args:
            shape: latent steps, rows and columns of the part in the chunk.
            classes: how many different counts are permitted.
            exchange: codes symbols from 0 to `classes` - 1.

        Returns:
            For each position, which of the permitted counts it has (``t h w``).
        """
        ...

    def code_group(
        self, group: int, lower: NDArray[np.int32], counts: NDArray[np.int32] | None, exchange: Exchange
    ) -> NDArray[np.int32]:
        """Code a group of channels.

        Args:
            group: which of `groups`.
            lower: symbols of all channels before it (``c t h w``), known already.
            counts: how many channels each position has (``t h w``); all of them for none. A channel has a
                symbol where the count is greater than its number.
            exchange: codes the symbols.

        Returns:
            The symbols of the group (``g t h w``), 0 where there are none.
        """
        ...
