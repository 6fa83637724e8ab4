"""Clips of any length: a shorter one begins a longer one, and every window goes on from the one before."""

from dataclasses import replace

import pytest
import torch

from tubelet.errors import OptionError
from tubelet.generate import windows
from tubelet.generate.dit.network import DiT
from tubelet.generate.dit.sampler import FlowSampling
from tubelet.generate.kinds import sample
from tubelet.generate.windows import Clip, longest_clip, make_steps

SAMPLING = FlowSampling(steps=2)


def clip(steps, *, cells=(4, 6), **further):
    return Clip(words=torch.tensor([[2, 3, 0, 0]]), seed=4, steps=steps, cells=cells, **further)


def made(network, wanted):
    return torch.cat(list(make_steps(network, wanted, SAMPLING)), dim=2)


@pytest.mark.parametrize("steps", [1, 4, 5, 6, 9, 12])
def test_a_shorter_clip_is_the_beginning_of_a_longer_one(network, steps):
    whole = made(network, clip(13))
    assert whole.shape == (1, 4, 13, 4, 6)
    part = made(network, clip(steps))
    assert part.shape[2] == steps
    assert torch.allclose(part, whole[:, :, :steps], atol=1e-10)


def test_every_window_goes_on_from_the_end_of_the_one_before(network, monkeypatch):
    asked = []

    def watched(*args, **given):
        asked.append((given["first_step"], given["shape"][0], given["known"]))
        return sample(*args, **given)

    monkeypatch.setattr(windows, "sample", watched)
    whole = made(network, clip(9))
    assert [(first, steps) for first, steps, _ in asked] == [(0, 5), (3, 4), (5, 4)]
    for first, _, known in asked[1:]:
        assert torch.equal(known, whole[:, :, first : first + 2])


def test_cells_that_are_no_whole_patches_are_cut(network):
    assert made(network, clip(6, cells=(3, 5))).shape == (1, 4, 6, 3, 5)
    assert torch.equal(made(network, clip(6, cells=(3, 5))), made(network, clip(6))[:, :, :, :3, :5])


def test_a_first_step_is_kept_and_gone_on_from(network):
    first = torch.randn(1, 4, 1, 3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    found = made(network, clip(7, cells=(3, 6), first=first))
    assert torch.equal(found[:, :, :1], first)
    free = made(network, clip(7, cells=(3, 6)))
    assert not torch.allclose(found[:, :, 1:], free[:, :, 1:], atol=1e-3)


def test_a_network_of_two_steps_makes_no_longer_clips(network):
    short = DiT(replace(network.config, steps=2)).double()
    assert longest_clip(short) == 2
    assert longest_clip(network) is None
    with pytest.raises(OptionError, match="has 3 latent steps, and the generator makes 2"):
        made(short, clip(3))
