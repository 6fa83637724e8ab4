import pytest
import torch
from torch import nn

from tubelet.train.config import Optimizer
from tubelet.train.optimizers import lr_at, make_optimizers, set_lr, update_ema
from tubelet.train.tokenizer.network import Network


def test_the_rate_rises_to_its_peak_and_ends_at_zero():
    optimizer = Optimizer(lr=2.0, warm_up=0.1)
    assert lr_at(0.0, optimizer) == 0
    assert lr_at(0.05, optimizer) == pytest.approx(1.0)
    assert lr_at(0.1, optimizer) == pytest.approx(2.0)
    assert lr_at(0.55, optimizer) == pytest.approx(1.0)
    assert lr_at(1.0, optimizer) == pytest.approx(0.0, abs=1e-12)
    assert lr_at(1.1, optimizer) == pytest.approx(0.0, abs=1e-12)


def test_the_rate_never_rises_after_the_warm_up():
    rates = [lr_at(share / 100, Optimizer()) for share in range(2, 101)]
    assert rates == sorted(rates, reverse=True)


def both(config, numbers):
    network = Network.build(config.model, None)
    return make_optimizers(network, network.tokenizer.model.hidden_matrices(), numbers)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_every_weight_is_moved_by_exactly_one_optimiser(config, kind):
    network = Network.build(config.model, None)
    optimizers = make_optimizers(network, network.tokenizer.model.hidden_matrices(), Optimizer(kind=kind))
    moved = [id(p) for each in optimizers for group in each.param_groups for p in group["params"]]
    assert sorted(moved) == sorted(map(id, network.parameters()))


def test_muon_moves_the_matrices_of_blocks_and_nothing_else(config):
    network = Network.build(config.model, None)
    muon = make_optimizers(network, network.tokenizer.model.hidden_matrices(), Optimizer(kind="muon"))[1]
    moved = {id(p) for group in muon.param_groups for p in group["params"]}
    names = [name for name, p in network.named_parameters() if id(p) in moved]
    assert len(names) == 6
    assert all(".blocks.0." in name and name.endswith(".map.weight") for name in names)


def test_others_move_at_their_share_of_the_rate(config):
    optimizers = both(config, Optimizer(kind="muon", others=0.25))
    set_lr(optimizers, 8.0)
    assert [group["lr"] for each in optimizers for group in each.param_groups] == [2.0, 2.0, 8.0]


def test_weight_decay_pulls_matrices_only(config):
    network = Network.build(config.model, None)
    decayed = [
        p.ndim
        for each in make_optimizers(
            network, network.tokenizer.model.hidden_matrices(), Optimizer(kind="muon", weight_decay=0.1)
        )
        for group in each.param_groups
        if group["weight_decay"]
        for p in group["params"]
    ]
    assert set(decayed) == {2}


def test_an_average_follows_the_weights_and_forgets_its_start():
    weights, ema = nn.Parameter(torch.ones(3)).detach(), torch.zeros(3)
    for iteration in range(200):
        update_ema([ema], [weights], decay=0.9, iteration=iteration)
    assert torch.allclose(ema, weights, atol=1e-6)


def test_an_average_is_what_its_decay_says():
    ema = torch.zeros(1)
    update_ema([ema], [torch.ones(1)], decay=0.9, iteration=10_000)
    assert ema.item() == pytest.approx(0.1)
