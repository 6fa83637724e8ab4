from dataclasses import replace

import pytest
import torch
from grids import make_grid, sizes
from hypothesis import given
from hypothesis import strategies as st

from tubelet.errors import OptionError, ShapeError, TokenError
from tubelet.tokenizers.vocabulary import Vocabulary

PAIR = ((4, 4), (4, 4))
orders = st.sampled_from([("raster", True), ("raster", False), ("morton", True), ("temporal", False)])
some = st.sampled_from([((8, 8, 8, 5, 5, 5),), ((3,), (5, 2), (300,)), PAIR])
offsets = st.sampled_from([0, 1, 32_000, (1 << 63) - 100_000])


def obvious(grid, vocabulary, order, *, separators) -> list[list[int]]:
    """Token by token, mark by mark."""
    sequences = []
    for clip in grid.flatten(order).tolist():
        ids = [vocabulary.begin_of_video]
        per_step = len(clip) // grid.cells[0]
        for place, token in enumerate(clip):
            if separators and place and place % per_step == 0:
                ids.append(vocabulary.frame_separator)
            which = place % len(vocabulary.codebook_sizes)
            before = 0 if vocabulary.shared else sum(vocabulary.codebook_sizes[:which])
            ids.append(vocabulary.offset + before + token)
        sequences.append([*ids, vocabulary.end_of_video])
    return sequences


@given(sizes(clips=st.integers(1, 2), bases=some), offsets, orders)
def test_ids_are_what_writing_token_by_token_gives_and_become_the_tokens_again(size, offset, order):
    grid = make_grid(**size)
    vocabulary = Vocabulary(
        codebook_sizes=grid.codebook_sizes, offset=offset, shared=len(set(grid.codebook_sizes)) == 1
    )
    name, separators = order
    ids = vocabulary.to_ids(grid, order=name, separators=separators)
    assert ids.tolist() == obvious(grid, vocabulary, name, separators=separators)
    assert ids.shape[1] == vocabulary.length(grid.cells, separators=separators)
    assert offset <= ids.min()
    assert ids.max() < vocabulary.rows
    back = vocabulary.to_tokens(ids, cells=grid.cells, order=name, separators=separators)
    assert torch.equal(back, grid.tokens)


@given(sizes(bases=st.just(PAIR)), st.booleans())
def test_tokens_of_one_size_share_ids_or_have_their_own(size, shared):
    grid = make_grid(**size)
    vocabulary = Vocabulary(codebook_sizes=(16, 16), offset=7, shared=shared)
    ids = vocabulary.to_ids(grid)
    assert ids.tolist() == obvious(grid, vocabulary, "raster", separators=True)
    assert torch.equal(vocabulary.to_tokens(ids, cells=grid.cells), grid.tokens)
    assert vocabulary.codebook_size == (16 if shared else 32)


def test_marks_stand_after_the_tokens_so_that_ids_without_offset_are_tokens():
    vocabulary = Vocabulary(codebook_sizes=(64_000,))
    marks = (vocabulary.begin_of_video, vocabulary.end_of_video, vocabulary.frame_separator)
    assert marks == (64_000, 64_001, 64_002)
    assert (vocabulary.size, vocabulary.rows) == (64_003, 64_003)
    grid = make_grid(size=(1, 16, 24))
    assert torch.equal(vocabulary.to_ids(grid)[:, 1:-1], grid.flatten())


def test_a_text_model_keeps_its_ids():
    vocabulary = Vocabulary(codebook_sizes=(64_000,), offset=32_000)
    assert (vocabulary.size, vocabulary.rows) == (64_003, 96_003)
    assert vocabulary.to_ids(make_grid()).min() >= 32_000


def test_after_each_step_but_the_last_comes_a_separator():
    vocabulary = Vocabulary(codebook_sizes=(64_000,))
    ids = vocabulary.to_ids(make_grid(size=(9, 8, 16)))[0]
    assert (ids == vocabulary.frame_separator).nonzero().flatten().tolist() == [3, 6]
    assert (ids[0], ids[-1], len(ids)) == (vocabulary.begin_of_video, vocabulary.end_of_video, 10)


def test_separators_mean_nothing_in_temporal_order():
    vocabulary = Vocabulary(codebook_sizes=(64_000,))
    with pytest.raises(OptionError, match="no latent step ends before the last"):
        vocabulary.to_ids(make_grid(), order="temporal")
    with pytest.raises(OptionError, match="separators=False"):
        vocabulary.to_tokens(torch.zeros(1, 5, dtype=torch.int64), cells=(1, 1, 3), order="temporal")


@pytest.fixture
def written():
    """A vocabulary of two tokens per position, a grid of 2x1x2 positions, and its ids."""
    vocabulary = Vocabulary(codebook_sizes=(6, 10), offset=100)
    grid = make_grid(bases=((2, 3), (10,)), size=(5, 8, 16), clips=2)
    return vocabulary, grid, vocabulary.to_ids(grid)


def changed(ids, place, value):
    ids = ids.clone()
    ids[1, place] = value
    return ids


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, 100, "clip 1 has id 100 at place 0, where begin stands, 116"),
        (10, 118, "clip 1 has id 118 at place 10, where end stands, 117"),
        (5, 101, "clip 1 has id 101 at place 5, where separator stands, 118"),
        (1, 106, r"clip 1 has id 106 as token 0 of its position 0 in order; such ids are 100 to 105"),
        (1, 99, "clip 1 has id 99 as token 0 of its position 0"),
        (2, 105, r"clip 1 has id 105 as token 1 of its position 0 in order; such ids are 106 to 115"),
        (9, 116, "clip 1 has id 116 as token 1 of its position 3"),
        (8, 118, "clip 1 has id 118 as token 0 of its position 3"),
        (3, -1, "clip 1 has id -1 as token 0 of its position 1"),
    ],
)
def test_a_wrong_id_is_named_with_its_clip_and_place(written, place, value, message):
    vocabulary, grid, ids = written
    with pytest.raises(TokenError, match=message):
        vocabulary.to_tokens(changed(ids, place, value), cells=grid.cells)


def test_a_missing_begin_or_end_is_named(written):
    vocabulary, grid, ids = written
    with pytest.raises(TokenError, match="where begin stands"):
        vocabulary.to_tokens(ids[:, 1:], cells=grid.cells)
    with pytest.raises(TokenError, match="where end stands"):
        vocabulary.to_tokens(ids[:, :-1], cells=grid.cells)


@pytest.mark.parametrize(("cells", "separators"), [((2, 1, 3), True), ((3, 1, 2), True), ((2, 1, 2), False)])
def test_a_sequence_of_other_cells_is_refused_with_the_length_that_would_do(written, cells, separators):
    vocabulary, _, ids = written
    wanted = vocabulary.length(cells, separators=separators)
    with pytest.raises(ShapeError, match=f"are of 11 ids; .*separators are {wanted}"):
        vocabulary.to_tokens(ids, cells=cells, separators=separators)


def test_no_ids_are_no_clip(written):
    vocabulary, grid, ids = written
    with pytest.raises(ShapeError, match="are of 0 ids"):
        vocabulary.to_tokens(ids[:, :0], cells=grid.cells)


def test_ids_of_32_bits_are_ids_too(written):
    vocabulary, grid, ids = written
    assert torch.equal(vocabulary.to_tokens(ids.int(), cells=grid.cells), grid.tokens)


def test_the_grid_of_another_tokenizer_is_refused(written):
    vocabulary, grid, _ = written
    with pytest.raises(OptionError, match=r"codebooks of \(10,\) values and the vocabulary of \(6, 10\)"):
        vocabulary.to_ids(replace(grid, bases=((10,),), digits=grid.digits[:, 2:]))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"codebook_sizes": ()}, "each token has one value or more"),
        ({"codebook_sizes": (4, 0)}, "each token has one value or more"),
        ({"codebook_sizes": (4, 5), "shared": True}, "tokens of one size share ids"),
        ({"codebook_sizes": (4,), "offset": -1}, "offset is -1"),
        ({"codebook_sizes": (4,), "offset": (1 << 63) - 6}, "ids are 0 to 2\\^63 - 1"),
        ({"codebook_sizes": (1 << 63,)}, "or predict digits"),
    ],
)
def test_numbers_without_meaning_are_refused(numbers, message):
    with pytest.raises(OptionError, match=message):
        Vocabulary(**numbers)
