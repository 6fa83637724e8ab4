from dataclasses import replace

import pytest
import torch

from tubelet.errors import OptionError
from tubelet.tokenizers.continuous import ContinuousTokenizer


@pytest.fixture(params=[False, True], ids=["plain", "variational"])
def wide(request, config):
    """Eight channels; nothing in it is zero or one as it is before training."""
    tokenizer = ContinuousTokenizer.of(replace(config.model, variational=request.param))
    random = torch.Generator().manual_seed(0)
    for each in (*tokenizer.parameters(), tokenizer.model.latent_mean, tokenizer.model.latent_deviation):
        torch.nn.init.uniform_(each.data, 0.1, 0.3, generator=random)
    tokenizer.model.transform.deviation.copy_(torch.linspace(2, 0.5, 16))
    return tokenizer


def narrowed_to(channels, wide, config):
    narrowed = ContinuousTokenizer(wide.model.narrowed(channels), lead_frame=wide.lead_frame)
    built = replace(config.model, channels=channels, variational=wide.variational).build()
    assert {k: v.shape for k, v in narrowed.weights().items()} == {
        k: v.shape for k, v in built.state_dict().items()
    }
    return narrowed


@torch.no_grad()
def test_its_latent_is_a_prefix_of_the_wider_one_and_decodes_to_the_same_video(wide, config):
    narrowed = narrowed_to(3, wide, config)
    video = torch.rand(1, 3, 5, 16, 12) * 2 - 1
    latent = narrowed.encode(video)
    assert torch.allclose(latent, wide.encode(video)[:, :3], atol=1e-5)
    sizes = {"frames": 5, "height": 16, "width": 12}
    assert torch.allclose(narrowed.decode(latent, **sizes), wide.decode(latent, **sizes), atol=1e-4)
    if wide.variational:
        theirs = wide.posterior(video).log_variance[:, :3]
        assert torch.allclose(narrowed.posterior(video).log_variance, theirs, atol=1e-5)


@torch.no_grad()
def test_a_position_without_channels_decodes_to_the_same_guess(wide, config):
    narrowed = narrowed_to(3, wide, config)
    none = torch.zeros(1, 1, 2, 4, 3, dtype=torch.int64)
    theirs = wide.model.decode_groups({"latent": torch.zeros(1, 8, 2, 4, 3)}, None, {"latent": none}).groups
    assert torch.allclose(
        narrowed.model.decode_groups({"latent": torch.zeros(1, 3, 2, 4, 3)}, None, {"latent": none}).groups,
        theirs,
        atol=1e-4,
    )


def test_channels_cannot_be_added(wide, config):
    with pytest.raises(OptionError, match="channels can only be left out"):
        narrowed_to(9, wide, config)
