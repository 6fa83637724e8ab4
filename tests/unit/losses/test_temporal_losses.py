import pytest
import torch

from tubelet.losses.reconstruction import l1
from tubelet.losses.temporal import frame_difference, log_frame_difference


def test_an_error_that_stands_still_costs_nothing(draw):
    reference = draw(2, 3, 4, 5, 6)
    assert float(frame_difference(reference, reference + draw(2, 3, 1, 5, 6, seed=1))) == pytest.approx(
        0, abs=1e-15
    )


def test_an_error_that_flickers_costs_twice_its_size(draw):
    reference = draw(2, 3, 4, 5, 6)
    sign = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64).reshape(4, 1, 1)
    video = reference + sign * draw(2, 3, 1, 5, 6, seed=1)
    assert float(frame_difference(reference, video)) == pytest.approx(2 * float(l1(reference, video)))


@pytest.mark.parametrize("epsilon", [None, 1e-3])
def test_a_single_frame_costs_nothing_and_can_still_take_a_step(epsilon, draw):
    video = draw(2, 3, 1, 5, 6, seed=1).requires_grad_()
    loss = frame_difference(draw(2, 3, 1, 5, 6), video, epsilon=epsilon)
    assert loss == 0
    loss.backward()
    assert torch.equal(video.grad, torch.zeros_like(video))


def test_the_log_of_differences_is_the_psnr_of_differences(draw):
    """PSNR of the changes, range 2, is 10·log₁₀ 4 - 10/ln 10 times the loss, here in float64."""
    reference, video = draw(2, 3, 4, 5, 6), draw(2, 3, 4, 5, 6, seed=1)
    errors = ((video - reference)[:, :, 1:] - (video - reference)[:, :, :-1]).square().mean(dim=(1, 2, 3, 4))
    expected = torch.log(errors + 1e-6).mean()
    assert float(log_frame_difference(reference, video)) == pytest.approx(float(expected))


def test_the_log_of_differences_of_a_single_frame_can_take_a_step(draw):
    video = draw(2, 3, 1, 5, 6, seed=1).requires_grad_()
    loss = log_frame_difference(draw(2, 3, 1, 5, 6), video)
    assert loss == 0
    loss.backward()
    assert torch.equal(video.grad, torch.zeros_like(video))
