"""Rows of a table of tokens: the columns, and a clip to its row and back."""

from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
import torch
from einops import rearrange

from tubelet.codec.tokens.clip import (
    LARGEST_CLIP,
    ClipFacts,
    TokenClip,
    check_bases,
)
from tubelet.data.arrow import Arrow, arrow_packages
from tubelet.errors import BitstreamError, OptionError, ShapeError, TokenError
from tubelet.quantizers.digits import Bases, Digits, codebook_sizes, digits_kind, tokens_to_digits
from tubelet.tokenizers.packing import Packed, pack, packed_kind, unpack
from tubelet.tokenizers.token_grid import TokenGrid
from tubelet.types import Stride

_NUMBERS = ("k", "t", "h", "w", "frames", "height", "width")
_TEXTS = ("source", "tokenizer", "tokenizer_sha256")
_PERHAPS_TEXTS = ("caption", "source_sha256")
_RATE = ("fps", "fps_numerator", "fps_denominator")

COLUMNS = (
    "tokens",
    *_NUMBERS,
    "codebook_sizes",
    "bases",
    "stride",
    "lead_frame",
    *_RATE,
    "caption",
    "source",
    "source_sha256",
    "tokenizer",
    "tokenizer_sha256",
)
"""Every column, in the order of the file."""

_PIECE = 1 << 18
"""Positions whose digits are made at a time."""

_OPTIONAL = frozenset({*_RATE, *_PERHAPS_TEXTS})
"""Columns that may hold null."""


def table_packages() -> Arrow:
    """Import pyarrow.

    Raises:
        OptionError: it is not installed.
    """
    return arrow_packages(for_what="tables of tokens (.parquet)", instead="write .npz or .tube")


def schema_of(bases: Bases) -> Any:  # noqa: ANN401  pyarrow has no types
    """The columns of a table whose tokens have these bases."""
    arrow = table_packages().lib
    tokens = arrow.from_numpy_dtype(packed_kind(max(codebook_sizes(bases))))
    integers = arrow.list_(arrow.int64())
    types = dict.fromkeys(_NUMBERS, arrow.int32()) | dict.fromkeys((*_TEXTS, *_PERHAPS_TEXTS), arrow.string())
    types |= {"tokens": arrow.list_(tokens), "codebook_sizes": integers, "bases": arrow.list_(integers)}
    types |= {"stride": arrow.list_(arrow.int32()), "lead_frame": arrow.bool_()}
    types |= {"fps": arrow.float64(), "fps_numerator": arrow.int64(), "fps_denominator": arrow.int64()}
    fields = [arrow.field(name, types[name], nullable=name in _OPTIONAL) for name in COLUMNS]
    return arrow.schema(fields)


def check_schema(schema: Any) -> None:  # noqa: ANN401  pyarrow has no types
    """Raise unless a file has the columns of a table of tokens, of types that hold the same.

    Raises:
        BitstreamError: it has not.
    """
    types = table_packages().lib.types
    if missing := [name for name in COLUMNS if schema.get_field_index(name) < 0]:
        raise BitstreamError(
            f"it has no column {', '.join(missing)}, or two of that name: it is not a table of tokens. Write "
            "one with `tubelet tokenize`."
        )
    texts = (types.is_string, types.is_large_string)
    rules = dict.fromkeys((*_TEXTS, *_PERHAPS_TEXTS), texts)
    rules |= {"fps": (types.is_floating,), "lead_frame": (types.is_boolean,)}
    for name in COLUMNS:
        found = inner = schema.field(name).type
        depth = {"tokens": 1, "codebook_sizes": 1, "stride": 1, "bases": 2}.get(name, 0)
        while depth and (types.is_list(inner) or types.is_large_list(inner)):
            inner, depth = inner.value_type, depth - 1
        if depth or not any(rule(inner) for rule in rules.get(name, (types.is_integer,))):
            raise BitstreamError(f"its column {name} is of type {found}, which is none of a table of tokens.")


def row_of(grid: TokenGrid, facts: ClipFacts) -> dict[str, Any]:
    """A clip as a row; `clip_of` is the mirror.

    Raises:
        TokenError: a digit is outside its base.
    """
    steps, rows, columns = grid.cells
    numbers = (len(grid.bases), steps, rows, columns, grid.frames, grid.height, grid.width)
    rate = (None,) * 3 if facts.fps is None else (float(facts.fps), *facts.fps.as_integer_ratio())
    row: dict[str, Any] = {}
    row |= zip((*_NUMBERS, *_RATE), (*numbers, *rate), strict=True)
    row |= {name: getattr(facts, name) for name in (*_TEXTS, *_PERHAPS_TEXTS)}
    return row | {
        "tokens": pack(grid.flatten()[0], values=max(grid.codebook_sizes)),
        "codebook_sizes": list(grid.codebook_sizes),
        "bases": [list(token) for token in grid.bases],
        "stride": list(grid.stride),
        "lead_frame": grid.lead_frame,
    }


def rows_to_table(rows: list[dict[str, Any]], schema: Any) -> Any:  # noqa: ANN401  pyarrow has no types
    """Rows as a table of pyarrow; the tokens are copied once, as they are."""
    arrow = table_packages().lib
    offsets = np.cumsum([0, *(len(row["tokens"]) for row in rows)], dtype=np.int32)
    values = arrow.array(np.concatenate([row["tokens"] for row in rows]))
    tokens = arrow.ListArray.from_arrays(offsets, values)
    others = [arrow.array([row[name] for row in rows], schema.field(name).type) for name in COLUMNS[1:]]
    return arrow.Table.from_arrays([tokens.cast(schema.field("tokens").type), *others], schema=schema)


def batch_to_rows(batch: Any) -> list[dict[str, Any]]:  # noqa: ANN401  pyarrow has no types
    """Undo `rows_to_table`; the tokens become arrays.

    Raises:
        BitstreamError: a value that must be there is null.
    """
    rows = batch.drop_columns(["tokens"]).to_pylist()
    for row, tokens in zip(rows, batch.column("tokens"), strict=True):
        if tokens.values is None or tokens.values.null_count:
            raise BitstreamError("a token is null. The file is damaged.")
        row["tokens"] = tokens.values.to_numpy(zero_copy_only=False)
        if absent := [name for name in COLUMNS if row[name] is None and name not in _OPTIONAL]:
            raise BitstreamError(f"{absent[0]} of a clip is null. The file is damaged.")
    return rows


def clip_of(row: dict[str, Any]) -> TokenClip:
    """Undo `row_of`.

    Raises:
        BitstreamError: the values of the row contradict one another.
    """
    try:
        facts = ClipFacts(
            **{name: row[name] for name in (*_TEXTS, *_PERHAPS_TEXTS)},
            fps=_rate(*(row[name] for name in _RATE)),
        )
        return TokenClip(_grid(row), facts)
    except (OptionError, ShapeError, TokenError) as error:
        raise BitstreamError(f"{error} The file is damaged.") from error


def _grid(row: dict[str, Any]) -> TokenGrid:
    tokens: Packed = row["tokens"]
    bases = _bases(row)
    if len(row["stride"]) != 3 or not all(row["stride"]) or min(row["stride"]) < 1:
        raise BitstreamError(
            f"stride is {row['stride']}; it is three numbers above zero. The file is damaged."
        )
    numbers = {name: row[name] for name in _NUMBERS}
    if min(numbers.values()) < 1 or row["k"] != len(bases) or len(tokens) > LARGEST_CLIP:
        raise BitstreamError(
            f"a clip of {len(tokens)} tokens has sizes {numbers} and {len(bases)} codebooks: "
            "it is not a clip. The file is damaged."
        )
    if tokens.dtype.kind == "i" and len(tokens) and tokens.min() < 0:
        raise BitstreamError(f"a token is {tokens.min()}; tokens count from 0. The file is damaged.")
    return TokenGrid(
        digits=_digits(tokens, bases, (row["t"], row["h"], row["w"])),
        bases=bases,
        stride=Stride(*row["stride"]),
        lead_frame=row["lead_frame"],
        frames=row["frames"],
        height=row["height"],
        width=row["width"],
    )


def _digits(tokens: Packed, bases: Bases, cells: tuple[int, int, int]) -> Digits:
    """The digits of tokens in raster order, a piece at a time: on the way each takes eight bytes or more.

    Raises:
        ShapeError: there are more or fewer tokens than such a clip has.
        TokenError: one is outside its codebook.
    """
    k = len(bases)
    if len(tokens) != k * prod(cells):
        raise ShapeError(
            f"sequences are of shape {(1, len(tokens))}; {k} tokens at {'x'.join(map(str, cells))} positions "
            f"are 1 x {k * prod(cells)}."
        )
    digits = torch.empty((sum(map(len, bases)), prod(cells)), dtype=digits_kind(bases))
    for piece in range(0, prod(cells), _PIECE):
        part = unpack(tokens[k * piece : k * (piece + _PIECE)])
        found = tokens_to_digits(rearrange(part, "(n k) -> 1 k n 1 1", k=k), bases)
        digits[:, piece : piece + _PIECE] = rearrange(found, "1 d n 1 1 -> d n")
    return rearrange(digits, "d (t h w) -> 1 d t h w", t=cells[0], h=cells[1])


def _bases(row: dict[str, Any]) -> Bases:
    """The bases of a row, checked."""
    if not all(token and all(token) for token in row["bases"]):
        raise BitstreamError(f"bases are {row['bases']!s:.80}, one of them null or empty. It is damaged.")
    bases: Bases = tuple(map(tuple, row["bases"]))
    check_bases(bases)
    if row["codebook_sizes"] != list(codebook_sizes(bases)):
        raise BitstreamError(
            f"codebook sizes are {row['codebook_sizes']!s:.80} and bases {bases!s:.80}, whose products are "
            "others. The file is damaged."
        )
    return bases


def _rate(fps: float | None, numerator: int | None, denominator: int | None) -> Fraction | None:
    """The exact frame rate."""
    if fps is None and numerator is None and denominator is None:
        return None
    if fps is None or numerator is None or not denominator or float(Fraction(numerator, denominator)) != fps:
        raise BitstreamError(
            f"fps is {fps} and its fraction {numerator}/{denominator}; they must agree. The file is damaged."
        )
    return Fraction(numerator, denominator)
