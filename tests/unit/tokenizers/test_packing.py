import numpy as np
import pytest
import torch
from grids import make_grid, sizes
from hypothesis import given
from hypothesis import strategies as st

from tubelet.errors import OptionError, TokenError
from tubelet.tokenizers.packing import pack, packed_kind, unpack
from tubelet.tokenizers.vocabulary import Vocabulary

MOST = 1 << 63


@given(st.integers(1, MOST), st.data())
def test_what_is_packed_comes_back(values, data):
    numbers = data.draw(st.lists(st.integers(0, values - 1), max_size=9))
    packed = pack(torch.tensor([*numbers, values - 1], dtype=torch.int64), values=values)
    assert packed.tolist() == [*numbers, values - 1]
    assert unpack(packed).tolist() == packed.tolist()
    assert unpack(packed).dtype == torch.int64


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (1, np.uint8),
        (1 << 8, np.uint8),
        ((1 << 8) + 1, np.uint16),
        (64_000, np.uint16),
        (1 << 16, np.uint16),
        ((1 << 16) + 1, np.uint32),
        (1 << 32, np.uint32),
        ((1 << 32) + 1, np.uint64),
        (MOST, np.uint64),
    ],
)
def test_the_type_is_the_smallest_that_holds_every_value(values, kind):
    assert packed_kind(values) == kind
    assert int(np.array(values - 1).astype(kind)) == values - 1


def test_the_type_does_not_depend_on_what_occurs():
    assert pack(torch.zeros(3, dtype=torch.int64), values=64_000).dtype == np.uint16


@given(sizes(bases=st.sampled_from([((8, 8, 8, 5, 5, 5),), ((4, 4), (4, 4))])))
def test_tokens_and_ids_of_clips_survive_packing(size):
    grid = make_grid(**size)
    size = max(grid.codebook_sizes)
    assert torch.equal(unpack(pack(grid.tokens, values=size)), grid.tokens)
    vocabulary = Vocabulary(codebook_sizes=grid.codebook_sizes)
    ids = vocabulary.to_ids(grid)
    packed = pack(ids, values=vocabulary.rows)
    assert packed.dtype == packed_kind(vocabulary.rows)
    assert torch.equal(vocabulary.to_tokens(unpack(packed), cells=grid.cells), grid.tokens)


@pytest.mark.parametrize("wrong", [-1, 256, 1 << 40])
def test_nothing_is_cut_to_fit(wrong):
    with pytest.raises(TokenError, match=f"a token is {wrong}; the codebook has 256 values"):
        pack(torch.tensor([3, wrong]), values=256)


@pytest.mark.parametrize("values", [0, -1, MOST + 1])
def test_numbers_of_values_that_cannot_be_numbered_are_refused(values):
    with pytest.raises(OptionError, match=f"there are {values} values; 1 to 2\\^63 can be numbered"):
        pack(torch.tensor([0]), values=values)


def test_what_torch_has_no_number_for_is_refused():
    with pytest.raises(TokenError, match=f"a number is {MOST}"):
        unpack(np.array([MOST], dtype=np.uint64))
