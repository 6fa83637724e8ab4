"""Tokens of many clips as a Parquet table, one clip a row: what data loaders of language models read.

The columns are plain types, so that ``datasets``, pandas, polars or pyarrow alone read the table:

| column | type | is |
|---|---|---|
| ``tokens`` | list of the smallest unsigned type | in raster order; those of a position stand together |
| ``k``, ``t``, ``h``, ``w`` | int32 | tokens per position; latent steps, rows and columns |
| ``frames``, ``height``, ``width`` | int32 | the clip, in frames and pixels |
| ``codebook_sizes`` | list of int64 | values of each token of a position |
| ``bases`` | list of lists of int64 | for each token of a position, the values of its digits |
| ``stride`` | list of int32 | frames, rows and columns of pixels per position |
| ``lead_frame`` | bool | whether the first frame is a latent step of its own |
| ``fps`` | float64 or null | frames per second, rounded |
| ``fps_numerator``, ``fps_denominator`` | int64 or null | the same, exactly |
| ``caption`` | string or null | what is seen |
| ``source``, ``source_sha256`` | string, string or null | name and digest of the video file |
| ``tokenizer``, ``tokenizer_sha256`` | string | name and digest of the tokenizer |

Further columns are left alone. Every page has a checksum.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from tubelet.codec.room import RoomError
from tubelet.codec.tokens.clip import ClipFacts, TokenClip, check_numbered, check_to_store
from tubelet.codec.tokens.table_claims import GroupClaim, read_claims
from tubelet.codec.tokens.table_groups import check_groups, clips_at_once
from tubelet.codec.tokens.table_rows import (
    COLUMNS,
    batch_to_rows,
    check_schema,
    clip_of,
    row_of,
    rows_to_table,
    schema_of,
    table_packages,
)
from tubelet.errors import BitstreamError, OptionError
from tubelet.files import replacing
from tubelet.quantizers.digits import Bases
from tubelet.tokenizers.streams.state import DEFAULT_MEMORY
from tubelet.tokenizers.token_grid import TokenGrid

GROUP_TOKENS = 1 << 20
"""Tokens that a row group gathers before it is written; a row group is never less than one clip."""

GROUP_CLIPS = 1 << 10
"""Clips that a row group gathers at most."""

_DICTIONARIES = (
    *(column for column in COLUMNS if column not in ("tokens", "codebook_sizes", "bases", "stride")),
    "codebook_sizes.list.element",
    "bases.list.element.list.element",
    "stride.list.element",
)
"""Columns that repeat from clip to clip."""


class TokenTableWriter:
    """A table being written, as a context manager; it appears under its name when it is whole.

    Memory holds one row group, whatever the number of clips.

    Args:
        target: a ``.parquet`` file.
        bases: for each token of a position, how many values each of its digits has, as `TokenGrid.bases`
            says; the type of the tokens follows from them.
        force: whether an existing target is replaced.
        begun: where a table of the clips so far is put if the body is interrupted from the keyboard or by a
            signal; none keeps nothing.

    Raises:
        OptionError: pyarrow is not installed, or tokens of these bases have more than 2⁶³ values.
        OutputError: on entering, the target exists (and `force` is false) or cannot be written.
    """

    def __init__(self, target: Path, *, bases: Bases, force: bool = False, begun: Path | None = None) -> None:
        self._arrow = table_packages()
        check_numbered(bases)
        self._target = target
        self._begun = begun
        self._force = force
        self._bases = bases
        self._schema = schema_of(bases)
        self._stack = ExitStack()
        self._rows: list[dict[str, Any]] = []
        self._waiting = 0
        self.clips = 0
        """Rows so far."""
        self.tokens = 0
        """Tokens so far."""
        self.bytes_total = 0
        """Size of the file, when the context was left."""

    def __enter__(self) -> "TokenTableWriter":
        with ExitStack() as stack:
            self._path = stack.enter_context(replacing(self._target, force=self._force, durable=True))
            # Opened by Python, so that a full disk or a folder that refuses is the error that it always is.
            self._file = stack.enter_context(self._path.open("wb"))
            stack.callback(self._count_bytes)
            self._writer = stack.enter_context(
                self._arrow.parquet.ParquetWriter(
                    self._file,
                    self._schema,
                    compression="zstd",
                    # Numbers of two bytes are stored in four; split by bytes, the empty ones cost nothing.
                    use_dictionary=list(_DICTIONARIES),
                    column_encoding={"tokens.list.element": "BYTE_STREAM_SPLIT"},
                    write_page_checksum=True,
                )
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            try:
                if isinstance(error, KeyboardInterrupt) and self._begun is not None and self.clips:
                    self._keep(self._begun)
            finally:
                self._stack.__exit__(kind, error, trace)
            return
        with self._stack:  # leaving it closes the file and renames it, or removes it if the last group fails
            self._flush()

    def append(self, grid: TokenGrid, facts: ClipFacts) -> None:
        """Add a clip.

        Args:
            grid: its tokens.
            facts: where they come from.

        Raises:
            OptionError: the grid has other bases than the table.
            ShapeError: it is of several clips, or of one too long.
            TokenError: a digit is outside its base.
        """
        if grid.bases != self._bases:
            raise OptionError(
                f"the grid has bases {grid.bases} and the table {self._bases}; one table is of one codebook. "
                "Write another table."
            )
        check_to_store(grid)
        row = row_of(grid, facts)
        self._rows.append(row)
        self.clips += 1
        self.tokens += len(row["tokens"])
        self._waiting += len(row["tokens"])
        if self._waiting >= GROUP_TOKENS or len(self._rows) >= GROUP_CLIPS:
            self._flush()

    def _keep(self, begun: Path) -> None:
        """End the table where it is, and put it there; where that fails, nothing is kept."""
        with suppress(self._arrow.lib.ArrowException, OSError):
            self._flush()
            self._writer.close()
            self._file.flush()
            self._path.replace(begun)

    def _count_bytes(self) -> None:
        self.bytes_total = self._file.tell()

    def _flush(self) -> None:
        """Write the clips that wait as a row group."""
        if self._rows:
            self._writer.write_table(rows_to_table(self._rows, self._schema))
            self._rows = []
            self._waiting = 0


class TokenTable:
    """A table of tokens, open for reading: a context manager; `len` counts clips, iteration gives them.

    Iterating holds a few clips in memory, whatever their number, and may be done again and again. Indexing
    reads a clip by its number.

    Args:
        source: a ``.parquet`` file that `TokenTableWriter` wrote, or one with the same columns.
        memory: bytes that the tokens of a row group may take while they are read; one with more is refused.

    Raises:
        OptionError: pyarrow is not installed.
        BitstreamError: the file is damaged, or no table of tokens.
    """

    def __init__(self, source: Path, *, memory: int = DEFAULT_MEMORY) -> None:
        self._arrow = table_packages()
        self._source = source
        self._memory = memory
        with self._naming():
            self._groups = self._claims()
            check_groups(self._groups)
            self._file = self._arrow.parquet.ParquetFile(
                source, pre_buffer=False, page_checksum_verification=True
            )
            try:
                check_schema(self._file.schema_arrow)
            except BaseException:
                self._file.close()
                raise

    def __enter__(self) -> "TokenTable":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return sum(group.rows for group in self._groups)

    def __iter__(self) -> Iterator[TokenClip]:
        """Give clip after clip.

        Raises:
            BitstreamError: the clip is damaged; those before it were given.
        """
        for group in range(len(self._groups)):
            yield from self._clips(group)

    def __getitem__(self, number: int) -> TokenClip:
        """A clip by its number, from 0; the row groups before it are not read.

        Raises:
            OptionError: there is no such clip.
            BitstreamError: the clip is damaged, or one before it in its row group.
        """
        if not 0 <= number < len(self):
            raise OptionError(f"clip {number} is asked for; {self._source} holds {len(self)}, from 0.")
        first = 0
        for place, group in enumerate(self._groups):
            if number < first + group.rows:
                return next(islice(self._clips(place), number - first, None))
            first += group.rows
        raise AssertionError("the row groups hold all clips")

    def _clips(self, group: int) -> Iterator[TokenClip]:
        """The clips of a row group."""
        given, rows = 0, self._groups[group].rows
        with self._naming():
            at_once = clips_at_once(self._source, self._file, group, self._groups[group], memory=self._memory)
            columns = list(COLUMNS)
            batches = self._file.iter_batches(at_once, row_groups=[group], columns=columns, use_threads=False)
            for batch in batches:
                yield from map(clip_of, batch_to_rows(batch))
                given += len(batch)
            if given != rows:
                raise BitstreamError(
                    f"row group {group} holds {given} clips and claims {rows}. The file is damaged."
                )

    def _claims(self) -> tuple[GroupClaim, ...]:
        try:
            return read_claims(self._source)
        except BitstreamError as error:  # as pyarrow's own errors are named
            raise OSError(str(error)) from error

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Name the file that an error is of, and give pyarrow's errors as ours."""
        try:
            yield
        except (BitstreamError, RoomError) as error:
            raise type(error)(f"{self._source}: {error}") from error
        except (self._arrow.lib.ArrowException, OSError, UnicodeDecodeError) as error:
            raise BitstreamError(
                f"{self._source} cannot be read as a table of tokens: {error!s:.300}. It is damaged or "
                "another file."
            ) from error
