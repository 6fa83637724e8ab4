"""One iteration of a network of one weight per input, whose gradients are known."""

import math

import pytest
import torch
from torch import nn
from toy import Toy

from tubelet.train.config import LoopConfig, Optimizer
from tubelet.train.iteration import iterate
from tubelet.train.optimizers import discriminator_optimizer, make_optimizers
from tubelet.train.state import TrainState
from tubelet.train.task import Outcome, Place, Term

MIDDLE = Place(iteration=0, indices=range(1), progress=0.5)


class Linear(Toy):
    """Two losses of the sum of a batch's products with the weights; `events` lists what was called."""

    def __init__(self, config):
        super().__init__(config)
        self.events = []

    def outcome(self, network, model, batch, place, discriminator):
        value = model(batch).sum()
        terms = {"plain": Term(2.0, value), "squared": Term(0.5, value.square())}
        if discriminator is None:
            return Outcome(terms=terms, update=lambda: self.events.append("update"))
        terms["adversarial"] = Term(1.0, discriminator(model(batch)[None]).sum())
        assert not any(weight.requires_grad for weight in discriminator.parameters())
        own = batch.sum().detach().reshape(1, 1)
        return Outcome(terms=terms, discriminator_loss=lambda: discriminator(own).square().sum())


def network(*weights: float) -> nn.Linear:
    layer = nn.Linear(len(weights), 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([weights]))
    return layer


def started(*weights: float, clip: float = 1e6, **numbers: float) -> tuple[TrainState, Linear]:
    task = Linear(LoopConfig(optimizer=Optimizer(lr=0.1, warm_up=0.0, clip=clip), jump=20.0))
    layer = network(*weights)
    optimizers = make_optimizers(layer, [], task.config.optimizer)
    return TrainState(network=layer, optimizers=optimizers, **numbers), task


def iterated(state: TrainState, task: Linear, *batch: float):
    return iterate(state, state.network, task, torch.tensor(batch), MIDDLE)


def test_the_weights_move_by_the_gradient_of_the_weighted_sum():
    state, task = started(0.5, -1.0)
    figures = iterated(state, task, 1.0, 2.0)
    value = 0.5 - 2.0
    total = 2 * value + value**2 / 2
    assert figures.losses == pytest.approx({"plain": value, "squared": value**2, "total": total})
    slope = 2 + value
    assert figures.gradient == pytest.approx(slope * math.sqrt(1 + 4))
    # Half way along the cosine. Adam's first step is the learning rate, against the gradient's sign.
    assert figures.lr == pytest.approx(0.05)
    assert state.network.weight.tolist()[0] == pytest.approx([0.45, -1.05], abs=1e-6)
    assert figures.taken
    assert task.events == ["update"]
    assert state.network.weight.grad is None
    assert state.iteration == 1
    assert state.usual_gradient == pytest.approx(figures.gradient)


def test_the_average_goes_a_part_of_the_way():
    state, task = started(0.5, -1.0)
    iterated(state, task, 1.0, 2.0)
    # In the first iteration a tenth of the start is left.
    assert state.ema["weight"].tolist()[0] == pytest.approx([0.455, -1.045], abs=1e-6)


def test_gradients_are_clipped_and_their_norm_is_told_as_it_was():
    state, task = started(3.0, clip=0.5)
    seen = []
    state.network.weight.register_hook(lambda slope: seen.append(slope.clone()))
    step = state.optimizers[0].step
    state.optimizers[0].step = lambda: (seen.append(state.network.weight.grad.clone()), step())
    assert iterated(state, task, 1.0).gradient == pytest.approx(5.0)
    assert [float(each.abs().sum()) for each in seen] == pytest.approx([5.0, 0.5], rel=1e-5)


@pytest.mark.parametrize(
    ("batch", "usual"), [(math.nan, 0.0), (math.inf, 0.0), (1e3, 1.0)], ids=["nan", "infinity", "jump"]
)
def test_a_bad_gradient_moves_nothing(batch, usual):
    state, task = started(0.5, usual_gradient=usual)
    figures = iterated(state, task, batch)
    assert not figures.taken
    assert state.network.weight.item() == state.ema["weight"].item() == 0.5
    assert state.network.weight.grad is None
    assert not task.events
    assert (state.bad_iterations, state.iteration, state.usual_gradient) == (1, 1, usual)


def test_a_good_iteration_ends_a_row_of_bad_ones():
    state, task = started(0.5, bad_iterations=3)
    iterated(state, task, 1.0)
    assert state.bad_iterations == 0


def with_discriminator(state: TrainState, task: Linear) -> nn.Module:
    state.discriminator = network(1.0)
    state.discriminator_optimizer = discriminator_optimizer(state.discriminator, task.config.optimizer)
    return state.discriminator


def test_the_discriminator_moves_by_its_own_loss_alone():
    state, task = started(0.5)
    discriminator = with_discriminator(state, task)
    figures = iterated(state, task, 3.0)
    assert figures.losses["adversarial"] == pytest.approx(1.5)
    assert figures.losses["discriminator"] == pytest.approx(9.0)
    assert discriminator.weight.item() == pytest.approx(0.9, abs=1e-6)
    assert discriminator.weight.requires_grad
    assert discriminator.weight.grad is None


def test_a_bad_iteration_does_not_move_the_discriminator_either():
    state, task = started(0.5, usual_gradient=1e-3)
    discriminator = with_discriminator(state, task)
    figures = iterated(state, task, 3.0)
    assert not figures.taken
    assert discriminator.weight.item() == 1.0
    assert "discriminator" not in figures.losses
