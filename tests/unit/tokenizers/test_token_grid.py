import math
from dataclasses import replace

import pytest
import torch
from grids import make_grid, same, sizes
from hypothesis import given
from hypothesis import strategies as st

from tubelet.errors import OptionError, ShapeError, TokenError
from tubelet.tokenizers.orders import ORDERS, places_in_order
from tubelet.tokenizers.token_grid import unflatten

orders = st.sampled_from(ORDERS)
several = sizes(clips=st.integers(1, 3))


def obvious(grid, order: str) -> list[list[int]]:
    """Clip by clip, position by position, token by token."""
    _, rows, columns = grid.cells
    read = []
    for clip in grid.tokens.tolist():
        read.append([])
        for place in places_in_order(grid.cells, order).tolist():
            step, rest = divmod(place, rows * columns)
            row, column = divmod(rest, columns)
            read[-1] += [token[step][row][column] for token in clip]
    return read


@given(several, orders)
def test_a_sequence_is_what_reading_position_by_position_gives(size, order):
    grid = make_grid(**size)
    assert grid.flatten(order).tolist() == obvious(grid, order)


@given(several, orders)
def test_unflatten_undoes_flatten(size, order):
    grid = make_grid(**size)
    tokens = unflatten(grid.flatten(order), cells=grid.cells, tokens=len(grid.bases), order=order)
    assert torch.equal(tokens, grid.tokens)
    assert same(grid.with_tokens(tokens), grid)


@given(several, st.sampled_from(["raster", "morton"]))
def test_the_first_steps_of_a_grid_are_the_beginning_of_its_sequence(size, order):
    grid = make_grid(**size)
    digits = grid.digits[:, :, :1]
    frames = 1 if grid.lead_frame else min(grid.frames, grid.stride.t)
    begin = replace(grid, digits=digits, frames=frames).flatten(order)
    assert torch.equal(grid.flatten(order)[:, : begin.shape[1]], begin)


@given(several)
def test_a_token_is_its_digits_in_mixed_radix(size):
    grid = make_grid(**size)
    place = tuple(side - 1 for side in grid.cells)
    digits = grid.digits[(0, slice(None), *place)].tolist()
    for token, bases in zip(grid.tokens[(0, slice(None), *place)].tolist(), grid.bases, strict=True):
        units = [math.prod(bases[:index]) for index in range(len(bases))]
        assert token == sum(digits.pop(0) * unit for unit in units)


def test_what_a_grid_tells_of_its_codebooks():
    assert make_grid().codebook_size == 64_000
    assert make_grid(bases=((4, 4), (4, 4))).codebook_size == 16
    mixed = make_grid(bases=((4, 4), (5,)))
    assert mixed.codebook_sizes == (16, 5)
    with pytest.raises(OptionError, match=r"tokens have \[5, 16\] values; they share no size"):
        _ = mixed.codebook_size


def test_digits_stay_bytes():
    assert make_grid().digits.dtype == torch.uint8
    assert make_grid().tokens.dtype == torch.int64


def test_other_tokens_may_be_of_more_clips():
    grid = make_grid(clips=1)
    assert grid.with_tokens(grid.tokens.expand(3, -1, -1, -1, -1)).digits.shape[0] == 3


@pytest.mark.parametrize("token", [-1, 64_000])
def test_a_token_outside_the_codebook_is_refused(token):
    grid = make_grid()
    tokens = grid.tokens.clone()
    tokens[0, 0, 1, 0, 2] = token
    with pytest.raises(TokenError, match=f"a token is {token}; the codebook has 64000 values"):
        grid.with_tokens(tokens)


def test_digits_of_another_kind_are_refused():
    grid = make_grid()
    with pytest.raises(ShapeError, match="must be b d t h w with d = 6"):
        replace(grid, digits=grid.digits[:, :5])


@pytest.mark.parametrize("size", [{"frames": 6}, {"frames": 0}, {"height": 17}, {"width": 16}])
def test_digits_of_clips_of_another_size_are_refused(size):
    with pytest.raises(ShapeError, match="give the size of the encoded clip"):
        replace(make_grid(), **size)


@pytest.mark.parametrize("cells", [(2, 2, 2), (2, 2, 4), (3, 2, 3)])
def test_a_sequence_of_another_length_is_refused(cells):
    with pytest.raises(ShapeError, match=r"sequences are of shape \(1, 12\)"):
        unflatten(make_grid().flatten(), cells=cells)


def test_a_sequence_of_other_numbers_of_tokens_is_refused():
    with pytest.raises(ShapeError, match="2 tokens at 2x2x3 positions are b x 24"):
        unflatten(make_grid().flatten(), cells=(2, 2, 3), tokens=2)


def test_a_codebook_beyond_64_bits_keeps_its_digits_and_refuses_numbers():
    grid = make_grid(bases=((2,) * 64,))
    assert grid.digits.shape[1] == 64
    with pytest.raises(TokenError, match=r"Use the digits"):
        grid.flatten()
