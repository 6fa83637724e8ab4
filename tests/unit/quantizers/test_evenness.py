import math
from itertools import product

import pytest
import torch

from tubelet.errors import OptionError
from tubelet.quantizers.evenness import TEMPERATURE, pair_unevenness
from tubelet.quantizers.fsq import FSQ


def rows_of(positions):
    """n c as b t h w c."""
    return torch.tensor(positions, dtype=torch.float32)[None, None, None]


def every_combination(levels):
    return [[d - n // 2 for d, n in zip(each, levels, strict=True)] for each in product(*map(range, levels))]


@pytest.mark.parametrize("levels", [(3, 3), (8, 5), (4, 3, 5)])
def test_every_combination_once_is_nearly_even(levels):
    """Not quite: a soft choice leaves a little to its neighbours, and outer levels have only one."""
    assert 0 <= float(pair_unevenness(rows_of(every_combination(levels)), levels)) < 5e-3


def test_one_value_alone_is_as_uneven_as_can_be():
    lacking = float(pair_unevenness(rows_of([[0.0, 0.0]] * 10), (5, 5)))
    assert 0.8 * math.log(25) < lacking < math.log(25)


def test_digits_that_follow_each_other_are_uneven_though_each_is_even():
    together = [[d - 2.0, d - 2.0] for d in range(5)]
    assert float(pair_unevenness(rows_of(together), (5, 5))) > 0.8 * math.log(5)
    alone = float(pair_unevenness(rows_of([[each[0]] for each in together]), (5,)))
    assert 0 <= alone < 5e-3


def test_it_is_the_entropy_written_out():
    """Against sums over positions and pairs of values in float64, in plain Python."""
    generator = torch.Generator().manual_seed(0)
    levels, positions = (3, 4, 5), torch.randn(7, 3, generator=generator, dtype=torch.float64)

    def soft(value, count):
        weights = [math.exp(-((value - (d - count // 2)) ** 2) / TEMPERATURE) for d in range(count)]
        return [each / sum(weights) for each in weights]

    def lacking(one, two):
        joint = [[0.0] * levels[two] for _ in range(levels[one])]
        for row in positions.tolist():
            a, b = soft(row[one], levels[one]), soft(row[two], levels[two])
            for i, j in product(range(levels[one]), range(levels[two])):
                joint[i][j] += a[i] * b[j] / len(positions)
        entropy = -sum(p * math.log(p) for line in joint for p in line)
        return math.log(levels[one] * levels[two]) - entropy

    expected = (lacking(0, 1) + lacking(0, 2) + lacking(1, 2)) / 3
    found = float(pair_unevenness(positions.float()[None, None, None], levels))
    assert found == pytest.approx(expected, abs=1e-5)


def test_following_its_gradient_spreads_the_tokens():
    generator = torch.Generator().manual_seed(0)
    base = 0.3 * torch.randn(400, 1, generator=generator)
    latent = base + 0.1 * torch.randn(400, 3, generator=generator)
    quantizer = FSQ((5, 5, 5), entropy_weight=1.0)
    moved = latent[:, :, None, None, None].clone().requires_grad_()
    optimizer = torch.optim.Adam([moved], lr=0.05)

    def used():
        return len(quantizer.quantize(moved).flatten(1).unique(dim=0))

    before = used()
    for _ in range(60):
        optimizer.zero_grad()
        quantizer(moved).loss.backward()
        optimizer.step()
    assert used() > 3 * before


def test_without_a_weight_there_is_no_loss():
    latent = torch.zeros(1, 2, 1, 2, 2)
    assert float(FSQ((5, 5))(latent).loss) == 0
    assert float(FSQ((5, 5), entropy_weight=0.5)(latent).loss) > 0
    assert float(FSQ((5, 5), entropy_weight=0.5)(latent[:, :, :0]).loss) == 0
    with pytest.raises(OptionError, match="zero or more"):
        FSQ((5, 5), entropy_weight=-1.0)
