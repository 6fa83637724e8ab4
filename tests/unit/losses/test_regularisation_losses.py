import pytest
import torch
from torch.distributions import Normal, kl_divergence

from tubelet.errors import ShapeError
from tubelet.losses.regularisation import kl_standard_normal

SHAPE = (2, 4, 3, 2, 2)


def test_it_is_the_divergence_that_torch_knows(draw):
    mean, log_variance = draw(*SHAPE) * 3, draw(*SHAPE, seed=1) * 4
    known = kl_divergence(Normal(mean, torch.exp(log_variance / 2)), Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(kl_standard_normal(mean, log_variance), known, rtol=1e-12, atol=0)


def test_a_standard_normal_latent_costs_nothing():
    zero = torch.zeros(SHAPE)
    assert float(kl_standard_normal(zero, zero)) == 0


def test_it_is_never_negative_and_the_gradient_is_that_of_finite_differences(draw):
    mean, log_variance = draw(*SHAPE).requires_grad_(), draw(*SHAPE, seed=1).requires_grad_()
    assert kl_standard_normal(mean, log_variance) > 0
    assert torch.autograd.gradcheck(kl_standard_normal, (mean, log_variance))


def test_float32_holds_a_variance_near_one(draw):
    tiny = draw(*SHAPE) * 1e-4
    exact = float(kl_standard_normal(torch.zeros_like(tiny), tiny))
    found = float(kl_standard_normal(torch.zeros(SHAPE), tiny.float()))
    assert found == pytest.approx(exact, rel=1e-2)


def test_half_precision_is_computed_in_float32(draw):
    mean, log_variance = draw(*SHAPE, dtype=torch.bfloat16), draw(*SHAPE, seed=1, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = kl_standard_normal(mean, log_variance)
    assert found.dtype == torch.float32
    assert found == kl_standard_normal(mean.float(), log_variance.float())


def test_shapes_must_agree(draw):
    bare = getattr(kl_standard_normal, "__wrapped__", kl_standard_normal)  # without the test hook
    with pytest.raises(ShapeError, match="compares equal shapes"):
        bare(draw(*SHAPE), draw(1, 4, 3, 2, 2))
