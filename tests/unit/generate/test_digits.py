"""Digits as transformers of tokens take them: split, patched and back without a change."""

import pytest
import torch

from tubelet.errors import OptionError
from tubelet.generate.tokens.digits import (
    from_patches,
    join_digits,
    one_hot,
    split_bases,
    split_digits,
    to_patches,
)

BASES = ((8, 5), (64_000,), (1 << 16, 3))


def digits(bases, *, steps=3, rows=4, columns=6):
    generator = torch.Generator().manual_seed(0)
    shape = (2, steps, rows, columns)
    each = [torch.randint(base, shape, generator=generator) for token in bases for base in token]
    return torch.stack(each, dim=1)


def test_digits_of_many_values_are_split_and_joined_again():
    whole = digits(BASES)
    fine = split_digits(whole, BASES)
    assert split_bases(BASES) == (8, 5, 256, 250, 256, 256, 3)
    for values, base in zip(fine.unbind(dim=1), split_bases(BASES), strict=True):
        assert 0 <= int(values.min()) <= int(values.max()) < base
    assert torch.equal(join_digits(fine, BASES), whole)


def test_digits_of_few_values_stay_as_they_are():
    whole = digits(((8, 8, 8, 5, 5, 5),))
    assert torch.equal(split_digits(whole, ((8, 8, 8, 5, 5, 5),)), whole)


def test_a_codebook_of_a_large_prime_is_refused():
    with pytest.raises(OptionError, match="has 65537 values, which do not split"):
        split_bases(((65537,),))


@pytest.mark.parametrize("patch", [1, 2])
def test_patches_and_grids_are_mirrors(patch):
    whole = digits(((8, 5),))
    patches = to_patches(whole, patch)
    assert patches.shape == (2, 3 * 24 // patch**2, 2 * patch**2)
    assert torch.equal(from_patches(patches, patch, steps=3, rows=4), whole)
    # The first patch has the first rows and columns, all digits of a position side by side.
    expected = whole[0, :, 0, :patch, :patch].permute(1, 2, 0).flatten()
    assert torch.equal(patches[0, 0], expected)


def test_every_digit_is_a_one_among_zeros():
    assert one_hot(torch.tensor([[1, 0], [2, 3]]), (3, 4)).tolist() == [
        [0, 1, 0, 1, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 1],
    ]
