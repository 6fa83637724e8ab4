"""Our Muon against PyTorch's, and its iteration against itself written out in double precision."""

import pytest
import torch
from torch import nn

from tubelet.train.muon import COEFFICIENTS, ITERATIONS, Muon, orthogonalise


def written_out(matrix):
    a, b, c = COEFFICIENTS
    x = matrix.double() / matrix.norm()
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def random_matrix(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (24, 24), (16, 150), (150, 16)])
def test_it_is_the_iteration_of_the_paper(shape):
    matrix = random_matrix(*shape)
    assert torch.allclose(orthogonalise(matrix).double(), written_out(matrix), atol=1e-4)


def test_a_matrix_of_low_rank_is_no_harder():
    matrix = random_matrix(50, 3) @ random_matrix(3, 60)
    assert torch.allclose(orthogonalise(matrix).double(), written_out(matrix), atol=1e-4)


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e15])
def test_singular_values_end_near_one_whatever_the_size_of_the_matrix(scale):
    values = torch.linalg.svdvals(orthogonalise(scale * random_matrix(20, 90)))
    if scale > 1e-6:
        assert values.min() > 0.6 and values.max() < 1.3
    else:
        # Below the least norm nothing is blown up.
        assert values.max() < 1e-6


def test_a_matrix_of_zeros_stays_one():
    assert not orthogonalise(torch.zeros(3, 5)).any()


@pytest.mark.parametrize("shape", [(12, 40), (40, 12)])
def test_its_steps_are_those_of_pytorch_to_the_precision_of_bfloat16(shape):
    ours, theirs = (nn.Parameter(random_matrix(*shape)) for _ in range(2))
    one = Muon([ours], lr=0.05, momentum=0.9, weight_decay=0.1)
    other = torch.optim.Muon(
        [theirs], lr=0.05, momentum=0.9, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
    )
    for step in range(4):
        gradient = random_matrix(*shape) + step
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        one.step()
        other.step()
    moved = (theirs - random_matrix(*shape)).norm()
    assert (ours - theirs).norm() < 0.02 * moved


def test_a_weight_without_a_gradient_stays():
    weight = nn.Parameter(random_matrix(3, 4))
    Muon([weight], lr=1.0, momentum=0.9, weight_decay=0.5).step()
    assert torch.equal(weight, random_matrix(3, 4))
