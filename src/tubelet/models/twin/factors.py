"""Windows of features as sums over their rows and columns: the linear form of dynamics."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 8
"""Rows and columns of positions of a window."""

PASSES = 2
"""How often the rows of a window are fitted to what its columns leave, and the columns to what they leave."""

Field = Float[Tensor, "b k t h w"]
"""Features at the positions of whole windows."""

RowCodes = Float[Tensor, "b c t h j"]
"""Numbers for each row of each window."""

ColumnCodes = Float[Tensor, "b c t i w"]
"""Numbers for each column of each window."""

RowStrips = Float[Tensor, "b t i j y d"]
ColumnStrips = Float[Tensor, "b t i j x d"]


class WindowFactors(nn.Module):
    """A window of features as a sum of what its rows and its columns say.

    At row y and column x a window is ``rows(x) a(y) + columns(y) b(x)``: each number of a row has a profile
    along the row, and each number of a column one along the column. So a feature of a window is a matrix of a
    rank up to twice the number of channels; with constant profiles it is VidTwin's sum of means
    (arXiv:2412.17726), whose means are over whole frames.

    Attributes:
        rows: orthonormal profiles of rows, ``c (x k)``.
        columns: orthonormal profiles of columns, ``c (y k)``.
    """

    def __init__(self, *, features: int, channels: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(_first_axes(channels, SIDE * features))
        self.columns = nn.Parameter(_first_axes(channels, SIDE * features))

    def codes(self, field: Field) -> tuple[RowCodes, ColumnCodes]:
        """The numbers whose sum, without products, comes near a field."""
        rows = self.codes_of_rows(field)
        columns = self.codes_of_columns(field - self.field_of_rows(rows))
        for _ in range(PASSES - 1):
            rows = self.codes_of_rows(field - self.field_of_columns(columns))
            columns = self.codes_of_columns(field - self.field_of_rows(rows))
        return rows, columns

    def codes_of_rows(self, field: Field) -> RowCodes:
        """The numbers of rows alone."""
        codes = _linear(row_strips(field), self.rows)
        return rearrange(codes, "b t i j y c -> b c t (i y) j")

    def codes_of_columns(self, field: Field) -> ColumnCodes:
        """The numbers of columns alone."""
        codes = _linear(column_strips(field), self.columns)
        return rearrange(codes, "b t i j x c -> b c t i (j x)")

    def field_of_rows(self, rows: RowCodes) -> Field:
        """What numbers of rows stand for."""
        strips = _linear(rearrange(rows, "b c t (i y) j -> b t i j y c", y=SIDE), self.rows.T)
        return rearrange(strips, "b t i j y (x k) -> b k t (i y) (j x)", x=SIDE)

    def field_of_columns(self, columns: ColumnCodes) -> Field:
        """What numbers of columns stand for."""
        strips = _linear(rearrange(columns, "b c t i (j x) -> b t i j x c", x=SIDE), self.columns.T)
        return rearrange(strips, "b t i j x (y k) -> b k t (i y) (j x)", y=SIDE)


def products_of(rows: RowCodes, columns: ColumnCodes) -> Field:
    """The products of all numbers of a position's row with all of its column."""
    along, down = over_rows(rows), over_columns(columns)
    return (along[:, :, None] * down[:, None]).flatten(1, 2)


def over_rows(rows: RowCodes) -> Field:
    """Numbers of rows at every position."""
    return rows.repeat_interleave(SIDE, dim=4)


def over_columns(columns: ColumnCodes) -> Field:
    """Numbers of columns at every position."""
    return columns.repeat_interleave(SIDE, dim=3)


def mean_of_rows(field: Field) -> RowCodes:
    """The mean over each row of each window."""
    return rearrange(field, "b c t h (j x) -> b c t h j x", x=SIDE).mean(dim=-1)


def mean_of_columns(field: Field) -> ColumnCodes:
    """The mean over each column of each window."""
    return rearrange(field, "b c t (i y) w -> b c t i y w", y=SIDE).mean(dim=-2)


def row_strips(field: Field) -> RowStrips:
    """Each row of each window as a vector."""
    return rearrange(field, "b k t (i y) (j x) -> b t i j y (x k)", y=SIDE, x=SIDE)


def column_strips(field: Field) -> ColumnStrips:
    """Each column of each window as a vector."""
    return rearrange(field, "b k t (i y) (j x) -> b t i j x (y k)", y=SIDE, x=SIDE)


def _linear(vectors: Float[Tensor, "*any d"], matrix: Float[Tensor, "e d"]) -> Float[Tensor, "*any e"]:
    """A product in full precision: what half precision makes of a basis is not orthonormal."""
    with torch.autocast(vectors.device.type, enabled=False):
        return F.linear(vectors, matrix)


def _first_axes(kept: int, size: int) -> Float[Tensor, "c d"]:
    axes = torch.zeros(kept, size)
    axes.diagonal().fill_(1)
    return axes
