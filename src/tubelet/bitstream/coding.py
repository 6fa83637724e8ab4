"""The two ways in which the symbols of a part are coded: by tables of their own, or with a model.

Either cuts a chunk of the part into segments: the map of counts, where there is one, then runs of channels.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tubelet.bitstream import limits
from tubelet.bitstream.header import Header
from tubelet.bitstream.modelled import Bounds, ModelTables, decode_modelled, encode_modelled
from tubelet.bitstream.part_header import PartHeader
from tubelet.bitstream.segment import Segment, decode_symbols, encode_symbols
from tubelet.bitstream.symbol_model import SymbolModel
from tubelet.errors import BitstreamError

TABLES, MODEL = 0, 1
"""How the head of a chunk says with which coding a part is coded."""

Counts = NDArray[np.int32] | None
"""How many channels each position has (``t h w``); all of them for none."""


@runtime_checkable
class PartCoding(Protocol):
    """Symbols of one part as segments, and back; a segment holds one or more channels."""

    number: int
    """`TABLES` or `MODEL`."""
    spans: tuple[tuple[int, int], ...]
    """The first channel of each segment, and the one past its last."""

    def encode_map(self, indices: NDArray[np.int32]) -> Segment:
        """Encode which of the permitted counts each position has (``t h w``)."""
        ...

    def decode_map(self, data: bytes, shape: tuple[int, int, int]) -> NDArray[np.int32]:
        """Undo `encode_map`; raises BitstreamError if the data is damaged."""
        ...

    def encode(self, segment: int, symbols: NDArray[np.int32], counts: Counts) -> Segment:
        """Encode a segment of all symbols (``c t h w``), which are 0 beyond the counts."""
        ...

    def decode(
        self, segment: int, data: bytes, lower: NDArray[np.int32], counts: Counts
    ) -> NDArray[np.int32]:
        """Undo `encode`, with the symbols of all channels before; raises BitstreamError if it is damaged."""
        ...


class TableCoding:
    """Each channel by itself, with a table in the segment that says how often each symbol occurs.

    Digits do without a table where that is shorter.
    """

    number = TABLES

    def __init__(self, part: PartHeader) -> None:
        self.spans = tuple((channel, channel + 1) for channel in range(part.channels))
        self._bases = part.digit_bases or (None,) * part.channels
        self._classes = len(part.counts)

    def encode_map(self, indices: NDArray[np.int32]) -> Segment:
        """See `PartCoding`."""
        return encode_symbols(indices.ravel(), self._classes)

    def decode_map(self, data: bytes, shape: tuple[int, int, int]) -> NDArray[np.int32]:
        """See `PartCoding`."""
        return decode_symbols(data, int(np.prod(shape)), self._classes).reshape(shape)

    def encode(self, segment: int, symbols: NDArray[np.int32], counts: Counts) -> Segment:
        """See `PartCoding`."""
        return encode_symbols(coded(symbols[segment : segment + 1], counts, segment), self._bases[segment])

    def decode(
        self, segment: int, data: bytes, lower: NDArray[np.int32], counts: Counts
    ) -> NDArray[np.int32]:
        """See `PartCoding`."""
        shape = (1, *lower.shape[1:])
        if counts is None:
            return decode_symbols(data, int(np.prod(shape)), self._bases[segment]).reshape(shape)
        symbols = np.zeros(shape, np.int32)
        places = has_symbol(counts, segment, segment + 1)
        symbols[places] = decode_symbols(data, int(places.sum()), self._bases[segment])
        return symbols


class ModelCoding:
    """Groups of channels, with the tables of a model that both ends have."""

    number = MODEL

    def __init__(self, part: PartHeader, model: SymbolModel) -> None:
        self.spans = tuple(model.groups)
        if [start for start, _ in self.spans] != [0, *(stop for _, stop in self.spans[:-1])] or (
            min(stop - start for start, stop in self.spans) < 1 or self.spans[-1][1] != part.channels
        ):
            raise BitstreamError(
                f"prior {model.name!r} has groups of channels {self.spans!s:.200}; they must follow each "
                f"other and be all {part.channels} of part {part.name!r}. Give the model of this part."
            )
        self._model = model
        self._tables = ModelTables.of(model.tables)
        self._classes = len(part.counts)
        self._low = 0 if part.bases else -limits.SYMBOL
        self._highs = np.array([base - 1 for base in part.digit_bases], np.int64)
        if not part.bases:
            self._highs = np.full(part.channels, limits.SYMBOL, np.int64)

    def encode_map(self, indices: NDArray[np.int32]) -> Segment:
        """See `PartCoding`."""
        shape, size = indices.shape, indices.size
        return encode_modelled(
            lambda exchange: self._model.code_counts(shape, self._classes, exchange),
            indices,
            self._tables,
            total=size,
        )

    def decode_map(self, data: bytes, shape: tuple[int, int, int]) -> NDArray[np.int32]:
        """See `PartCoding`."""
        size = int(np.prod(shape))
        return decode_modelled(
            lambda exchange: self._model.code_counts(shape, self._classes, exchange),
            data,
            shape,
            self._tables,
            Bounds(low=0, highs=np.array([self._classes - 1]), plane=size),
            total=size,
        )

    def encode(self, segment: int, symbols: NDArray[np.int32], counts: Counts) -> Segment:
        """See `PartCoding`."""
        start, stop = self.spans[segment]
        lower, group = symbols[:start], symbols[start:stop]
        total = coded(group, counts, start).size
        if not total:
            return Segment(table=b"", payload=b"", entropy_bits=0.0)
        return encode_modelled(
            lambda exchange: self._model.code_group(segment, lower, counts, exchange),
            group,
            self._tables,
            total=total,
        )

    def decode(
        self, segment: int, data: bytes, lower: NDArray[np.int32], counts: Counts
    ) -> NDArray[np.int32]:
        """See `PartCoding`."""
        start, stop = self.spans[segment]
        shape = (stop - start, *lower.shape[1:])
        total = int(np.prod(shape)) if counts is None else int(has_symbol(counts, start, stop).sum())
        if not total:
            if data:
                raise BitstreamError(
                    f"a segment of no symbols has {len(data)} bytes: the file is damaged. Copy it again."
                )
            return np.zeros(shape, np.int32)
        return decode_modelled(
            lambda exchange: self._model.code_group(segment, lower, counts, exchange),
            data,
            shape,
            self._tables,
            Bounds(low=self._low, highs=self._highs[start:stop], plane=int(np.prod(shape[1:]))),
            total=total,
        )


ModelFor = Callable[[Header, PartHeader], SymbolModel | None]
"""Gives the model of a part of a file, whose header names it; none if there is none."""


class Codings:
    """The codings of a file's parts; each is made once, when it is first used.

    Args:
        header: of the file.
        model_for: gives the models; none if there are none.
    """

    def __init__(self, header: Header, model_for: ModelFor | None = None) -> None:
        self.header = header
        self._model_for: ModelFor = model_for or (lambda _header, _part: None)
        self._tables = {part.name: TableCoding(part) for part in header.parts}
        self._models: dict[str, ModelCoding | None] = {}

    def of(self, part: PartHeader, number: int) -> PartCoding:
        """The coding of a part that has this number.

        Raises:
            BitstreamError: it needs a model that is not given, or another one is.
        """
        if number == TABLES:
            return self._tables[part.name]
        if (modelled := self._modelled(part)) is None:
            raise BitstreamError(
                f"part {part.name!r} is coded with {self._prior()}, which was not given. Open the file with "
                "it."
            )
        return modelled

    def choices(self, part: PartHeader) -> list[PartCoding]:
        """All that a part can be written with; the first is preferred if others are no shorter.

        Raises:
            BitstreamError: the model that is given is not the one that the header names.
        """
        modelled = self._modelled(part)
        return [self._tables[part.name], *([] if modelled is None else [modelled])]

    def _modelled(self, part: PartHeader) -> ModelCoding | None:
        if part.name not in self._models:
            model = self._model_for(self.header, part) if self.header.prior else None
            if model is not None:
                self._check_prior(part, model)
            self._models[part.name] = None if model is None else ModelCoding(part, model)
        return self._models[part.name]

    def _check_prior(self, part: PartHeader, model: SymbolModel) -> None:
        prior = self.header.prior
        if prior is None or (model.name, model.sha256) != (prior.name, prior.sha256):
            raise BitstreamError(
                f"part {part.name!r} is coded with {self._prior()}; given is {model.name!r:.80} "
                f"(sha256 {model.sha256:.80}). Give the one that the header names."
            )

    def _prior(self) -> str:
        prior = self.header.prior
        return "a prior" if prior is None else f"prior {prior.name!r:.80} (sha256 {prior.sha256})"


def has_symbol(counts: NDArray[np.int32], start: int, stop: int) -> NDArray[np.bool_]:
    """Which positions have a symbol of each of these channels (``c t h w``)."""
    return counts[None] > np.arange(start, stop, dtype=np.int32)[:, None, None, None]


def coded(symbols: NDArray[np.int32], counts: Counts, start: int) -> NDArray[np.int32]:
    """The symbols that are stored of some channels, the first of which is `start`, in raster order."""
    if counts is None:
        return symbols.ravel()
    return symbols[has_symbol(counts, start, start + symbols.shape[0])]
