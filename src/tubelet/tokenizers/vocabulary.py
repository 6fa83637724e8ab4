"""The whole numbers by which a language model knows tokens, alone or beside those of a text."""

from dataclasses import dataclass
from itertools import accumulate

import torch
from einops import rearrange, repeat
from jaxtyping import Int
from torch import Tensor

from tubelet.checks import check_whole
from tubelet.errors import OptionError, ShapeError, TokenError
from tubelet.quantizers.digits import ROUND, Tokens
from tubelet.tokenizers.orders import Order
from tubelet.tokenizers.token_grid import Sequences, TokenGrid, check_grid, unflatten

_MOST = 1 << 63
"""Ids that 64-bit integers number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Ids of the tokens of clips, and three that mark where clips begin, end, and go on with the next step.

    From `offset` up stand the tokens, and after them begin, end and separator: so that with an offset of 0 an
    id is its token, and a model that is trained without marks lacks its last three rows and no others. With
    several tokens per position each has ids of its own, one codebook after the other, unless they are
    `shared`. In a sequence the tokens of a position stand together, the first one first.

    A sequence is begin, the tokens of the first step, separator, those of the next step … end. So after each
    step a model decides whether the clip goes on.

    Attributes:
        codebook_sizes: how many values each token of a position has, as `TokenGrid.codebook_sizes` says.
        offset: the first id; those below are another model's, such as a text's.
        shared: whether all tokens of a position use the same ids.

    Raises:
        OptionError: a codebook has no value, sizes differ and are shared, the offset is negative, or there
            are more ids than 64 bits number.
    """

    codebook_sizes: tuple[int, ...]
    offset: int = 0
    shared: bool = False

    def __post_init__(self) -> None:
        if not self.codebook_sizes or min(self.codebook_sizes) < 1:
            raise OptionError(f"codebook sizes are {self.codebook_sizes}; each token has one value or more.")
        if self.shared and len(set(self.codebook_sizes)) > 1:
            raise OptionError(
                f"codebook sizes are {self.codebook_sizes}; tokens of one size share ids. Use shared=False."
            )
        if self.offset < 0 or self.rows > _MOST:
            raise OptionError(
                f"offset is {self.offset} and {self.size} ids stand from there on; ids are 0 to 2^63 - 1. "
                "Use another offset, or predict digits."
            )

    @property
    def codebook_size(self) -> int:
        """How many ids stand for tokens: ``offset`` to ``offset + codebook_size - 1``."""
        return self.codebook_sizes[0] if self.shared else sum(self.codebook_sizes)

    @property
    def begin_of_video(self) -> int:
        """The id before the first token of a clip."""
        return self.offset + self.codebook_size

    @property
    def end_of_video(self) -> int:
        """The id after the last token of a clip."""
        return self.begin_of_video + 1

    @property
    def frame_separator(self) -> int:
        """The id between two latent steps."""
        return self.begin_of_video + 2

    @property
    def size(self) -> int:
        """How many ids there are from `offset` on, marks included."""
        return self.codebook_size + 3

    @property
    def rows(self) -> int:
        """Ids including those below `offset`: rows of an embedding that holds both."""
        return self.offset + self.size

    def length(self, cells: tuple[int, int, int], *, separators: bool = True) -> int:
        """How many ids a clip of so many latent steps, rows and columns has."""
        steps, rows, columns = cells
        return 2 + steps * rows * columns * len(self.codebook_sizes) + (steps - 1 if separators else 0)

    def to_ids(self, grid: TokenGrid, *, order: Order = "raster", separators: bool = True) -> Sequences:
        """Write the tokens of each clip as ids.

        Args:
            grid: the tokens.
            order: in which order positions are read.
            separators: whether a separator stands between two latent steps.

        Raises:
            OptionError: the grid has other codebooks, or separators are asked for in temporal order, in which
                no step ends before the last.
        """
        _check_separators(order, separators=separators)
        check_grid(grid)
        if grid.codebook_sizes != self.codebook_sizes:
            raise OptionError(
                f"the grid has codebooks of {grid.codebook_sizes} values and the vocabulary of "
                f"{self.codebook_sizes}. Make the vocabulary with the grid's codebook_sizes."
            )
        ids = grid.flatten(order)
        ids = ids + self._firsts(ids.shape[1], ids.device)
        if separators:
            steps = rearrange(ids, "b (t n) -> b t n", t=grid.cells[0])
            marks = torch.full_like(steps[:, :, :1], self.frame_separator)
            ids = rearrange(torch.cat([steps, marks], dim=2), "b t n -> b (t n)")[:, :-1]
        begin, end = (torch.full_like(ids[:, :1], id_) for id_ in (self.begin_of_video, self.end_of_video))
        return torch.cat([begin, ids, end], dim=1)

    def to_tokens(
        self,
        ids: Sequences,
        *,
        cells: tuple[int, int, int],
        order: Order = "raster",
        separators: bool = True,
    ) -> Tokens:
        """Undo `to_ids`. Nothing is repaired: an id that is wrong is named, with its place.

        Args:
            ids: sequences of whole clips.
            cells: latent steps, rows and columns of each clip.
            order: in which order its positions are.
            separators: whether a separator stands between two latent steps.

        Raises:
            OptionError: separators are asked for in temporal order, or ids are not a tensor of whole numbers.
            ShapeError: a clip of these cells has more or fewer ids.
            TokenError: a mark is missing or at a wrong place, or an id is not a token's.
        """
        _check_separators(order, separators=separators)
        check_whole(ids, "ids", cure=ROUND)
        if ids.ndim != 2:
            raise ShapeError(
                f"ids are of shape {tuple(ids.shape)}; they must be (clips, ids). One sequence becomes them "
                "by ids[None]."
            )
        ids = ids.to(torch.int64)
        length = self.length(cells, separators=separators)
        if ids.shape[1] and ids.shape[0]:
            self._check_mark(ids, 0, self.begin_of_video, "begin")
            self._check_mark(ids, ids.shape[1] - 1, self.end_of_video, "end")
        if ids.shape[1] != length:
            raise ShapeError(
                f"sequences are of {ids.shape[1]} ids; {'x'.join(map(str, cells))} positions of "
                f"{len(self.codebook_sizes)} tokens {'with' if separators else 'without'} separators are "
                f"{length}. Give the cells of the clip, or cut the sequence at its end."
            )
        inner = ids[:, 1:-1]
        if separators and cells[0] > 1:
            each = (length - 1) // cells[0]
            for place in range(each, length - 1, each):
                self._check_mark(ids, place, self.frame_separator, "separator")
            ends = rearrange(ids[:, 1:], "b (t n) -> b t n", n=each)
            inner = rearrange(ends[:, :, :-1], "b t n -> b (t n)")
        firsts = self._firsts(inner.shape[1], inner.device)
        self._check_tokens(inner - firsts)
        return unflatten(inner - firsts, cells=cells, tokens=len(self.codebook_sizes), order=order)

    def _firsts(self, length: int, device: torch.device) -> Int[Tensor, " n"]:
        """The id of token 0 at each place of a sequence without marks."""
        sizes = self.codebook_sizes
        starts = [0] * len(sizes) if self.shared else list(accumulate(sizes, initial=0))[:-1]
        firsts = torch.tensor(starts, dtype=torch.int64, device=device) + self.offset
        return repeat(firsts, "k -> (n k)", n=length // len(sizes))

    def _check_mark(self, ids: Sequences, place: int, mark: int, name: str) -> None:
        """Raise unless every clip has this mark at this place."""
        wrong = (ids[:, place] != mark).nonzero()
        if len(wrong):
            clip = int(wrong[0])
            raise TokenError(
                f"clip {clip} has id {int(ids[clip, place])} at place {place}, where {name} stands, {mark}. "
                "The sequence is not of whole clips of these cells, or of another vocabulary."
            )

    def _check_tokens(self, tokens: Sequences) -> None:
        """Raise unless all are of the codebooks that their places have."""
        sizes = torch.tensor(self.codebook_sizes, device=tokens.device)
        limits = repeat(sizes, "k -> (n k)", n=tokens.shape[1] // len(self.codebook_sizes))
        wrong = ((tokens < 0) | (tokens >= limits)).nonzero()
        if len(wrong):
            clip, place = wrong[0].tolist()
            token = place % len(self.codebook_sizes)
            first = int(self._firsts(len(self.codebook_sizes), tokens.device)[token])
            raise TokenError(
                f"clip {clip} has id {int(tokens[clip, place]) + first} as token {token} of its position "
                f"{place // len(self.codebook_sizes)} in order; such ids are {first} to "
                f"{first + self.codebook_sizes[token] - 1}. Sample among these."
            )


def _check_separators(order: Order, *, separators: bool) -> None:
    if separators and order == "temporal":
        raise OptionError(
            "separators are asked for in temporal order, in which no latent step ends before the last. "
            "Use separators=False, or another order."
        )
