"""The transformer: what it depends on, and on what not."""

import pytest
import torch
from einops import rearrange
from torch.nn import functional as F

from tubelet.errors import OptionError, ShapeError
from tubelet.generate.attention import attention, project
from tubelet.generate.dit.config import DiTConfig
from tubelet.generate.dit.network import DiT
from tubelet.generate.rotary import rotate, rotations


def velocity(network, **changes):
    generator = torch.Generator().manual_seed(3)
    given = {
        "latent": torch.randn(2, 4, 5, 4, 6, generator=generator, dtype=torch.float64),
        "times": torch.tensor([0.3, 0.7], dtype=torch.float64),
        "words": torch.tensor([[2, 3, 0, 0], [4, 5, 3, 0]]),
        "given": torch.tensor([0, 1]),
        "lead": True,
    } | changes
    lead = given.pop("lead")
    return network(*given.values(), lead=lead)


def test_everything_that_it_is_told_changes_the_velocity(network):
    usual = velocity(network)
    for changes in (
        {"times": torch.tensor([0.4, 0.7], dtype=torch.float64)},
        {"words": torch.tensor([[3, 2, 0, 0], [4, 5, 3, 0]])},
        {"given": torch.tensor([1, 1])},
    ):
        other = velocity(network, **changes)
        assert (other[0] - usual[0]).abs().max() > 1e-4, changes
        assert (other[1] - usual[1]).abs().max() < 1e-12, changes
    assert (velocity(network, lead=False) - usual).abs().amax(dim=(1, 2, 3, 4)).min() > 1e-4


def test_any_size_is_taken_that_goes_in_patches(network):
    latent = torch.zeros(2, 4, 3, 8, 2, dtype=torch.float64)
    assert velocity(network, latent=latent).shape == latent.shape
    with pytest.raises(ShapeError, match=r"5x6 positions; they go in 2x2"):
        velocity(network, latent=torch.zeros(2, 4, 5, 5, 6, dtype=torch.float64))


def test_normalise_and_restore_are_inverses(network):
    latent = torch.randn(1, 4, 2, 2, 2, dtype=torch.float64)
    assert torch.allclose(network.restore(network.normalise(latent)), latent, atol=1e-12)
    assert not torch.allclose(network.normalise(latent), latent, atol=0.1)


def test_attention_knows_distances_and_no_places():
    turns = rotations(4, 4, 4, features=16, prefix=0, device=torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 1, 1, 1, 1, 16, generator=generator)

    def product(one, other):
        return (rotate(query, turns[one : one + 1]) * rotate(key, turns[other : other + 1])).sum()

    # From (0, 0, 0) to (0, 1, 1), and from (1, 1, 1) to (1, 2, 2).
    assert torch.allclose(product(0, 5), product(21, 26), atol=1e-4)
    assert not torch.allclose(product(0, 5), product(0, 6), atol=1e-3)


def test_words_in_front_are_not_turned():
    turns = rotations(1, 2, 2, features=16, prefix=3, device=torch.device("cpu"))
    assert len(turns) == 7
    assert bool((turns[:3] == 1).all())


def test_both_kinds_of_attention_agree(network):
    block = network.blocks[0]
    features = torch.randn(2, 9, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    turns = rotations(1, 3, 3, features=16, prefix=0, device=torch.device("cpu")).to(torch.complex128)
    own = attention(project(block.attend(features), turns, heads=2), block.sharpness)
    parts = rearrange(block.attend(features), "b n (k h d) -> k b n h d", k=3, h=2)
    turned = [rotate(F.layer_norm(each, (16,))[:, :, None], turns)[:, :, 0] for each in parts[:2]]
    query, key, value = (rearrange(each, "b n h d -> b h n d") for each in (*turned, parts[2]))
    other = F.scaled_dot_product_attention(query * block.sharpness, key, value)
    assert torch.allclose(own, rearrange(other, "b h n d -> b n (h d)"), atol=1e-5)


def test_an_untrained_network_says_nothing(network):
    fresh = DiT(network.config)
    assert not bool(velocity(fresh.double()).any())


def test_numbers_that_contradict_are_refused():
    shape = {"channels": 4, "steps": 5, "rows": 4, "columns": 4, "fps": 24.0, "words": ("a", "b")}
    known = {"name": "x", "tokenizer": "y", "tokenizer_sha256": "z"} | shape
    for wrong in ({"width": 30}, {"width": 36, "heads": 3}, {"words": ("a", "a")}, {"fps": 0.0}):
        with pytest.raises(OptionError):
            DiTConfig(**known | wrong)
