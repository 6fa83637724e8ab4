"""What a flow is trained on: ways from noise to data, drawn by seed, iteration and index alone."""

import numpy as np
import pytest
import torch

from tubelet.generate.captioned import CaptionedLatents
from tubelet.generate.dit.flow import channel_weights, draw_flow_batch, flow_loss, noisy
from tubelet.generate.dit.train_config import DiTTrainConfig
from tubelet.generate.known_tokenizer import read_tokenizer
from tubelet.generate.text import NO_PROMPT

CLIPS = 40


@pytest.fixture
def data(tokenizer_folder):
    values = np.random.default_rng(0).standard_normal((CLIPS, 4, 5, 4, 6)).astype(np.float16)
    return CaptionedLatents(
        values=values,
        captions=("red",) * CLIPS,
        fps=30.0,
        tokenizer=read_tokenizer(tokenizer_folder),
        facts={},
    )


@pytest.fixture
def words():
    return torch.arange(2, 2 + CLIPS)[:, None].expand(-1, 3).contiguous()


def test_what_is_drawn_does_not_depend_on_how_a_batch_is_shared(data, words):
    config = DiTTrainConfig(continued=0.5)
    for step in range(6):
        whole = draw_flow_batch(data, words, config, step=step, indices=range(8))
        part = draw_flow_batch(data, words, config, step=step, indices=range(4, 8))
        assert whole.lead == part.lead
        for name in ("latent", "noise", "times", "words", "given"):
            assert torch.equal(getattr(whole, name)[4:], getattr(part, name)), name


def test_every_clip_has_its_own_words_or_none(data, words):
    batch = draw_flow_batch(data, words, DiTTrainConfig(unprompted=0.3), step=0, indices=range(200))
    free = (batch.words == NO_PROMPT).all(dim=1)
    assert 0.2 < float(free.float().mean()) < 0.4
    for latent, said in zip(batch.latent[~free], batch.words[~free], strict=True):
        clip = int(said[0]) - 2
        assert torch.equal(latent[:, -4:], torch.from_numpy(data.values[clip].astype(np.float32))[:, -4:])


def test_clips_that_go_on_have_lost_their_first_step_and_are_given_others(data, words):
    batch = draw_flow_batch(data, words, DiTTrainConfig(continued=1.0), step=0, indices=range(50))
    assert not batch.lead
    assert batch.latent.shape[2] == 4
    assert set(batch.given.tolist()) == {1, 2, 3}
    batch = draw_flow_batch(data, words, DiTTrainConfig(continued=0.0, given=0.5), step=0, indices=range(50))
    assert batch.lead
    assert batch.latent.shape[2] == 5
    assert set(batch.given.tolist()) == {0, 1}


@pytest.mark.parametrize("mean", [0.0, -1.2])
def test_times_are_logit_normal(data, words, mean):
    times = draw_flow_batch(data, words, DiTTrainConfig(time_mean=mean), step=0, indices=range(2000)).times
    logits = (times / (1 - times)).log()
    assert abs(float(logits.mean()) - mean) < 0.1
    assert abs(float(logits.std()) - 1) < 0.1


def test_ways_lead_from_noise_to_data_and_given_steps_are_data_all_along():
    latent, noise = torch.full((2, 1, 3, 1, 1), 4.0), torch.zeros(2, 1, 3, 1, 1)
    found = noisy(latent, noise, torch.tensor([0.25, 1.0]), torch.tensor([1, 0]))
    assert found[0].flatten().tolist() == [4.0, 1.0, 1.0]
    assert found[1].flatten().tolist() == [4.0, 4.0, 4.0]


def test_the_loss_is_of_steps_that_are_not_given_and_of_channels_by_their_weight():
    latent, noise = torch.zeros(2, 2, 3, 1, 2), torch.zeros(2, 2, 3, 1, 2)
    velocity = torch.zeros(2, 2, 3, 1, 2)
    velocity[:, 0, 0] = 100.0
    velocity[:, 0, 1] = 2.0
    velocity[:, 1, 2] = 3.0
    weights = torch.tensor([0.5, 1.5])
    loss = flow_loss(velocity, latent, noise, torch.tensor([1, 2]), weights)
    # Two steps of two channels of two positions, and one step of them.
    assert torch.allclose(loss, torch.tensor([(4 * 2 * 0.5 + 9 * 2 * 1.5) / 8, 9 * 2 * 1.5 / 4]))


def test_weights_are_a_power_of_what_a_channel_is_worth():
    weights = channel_weights(torch.tensor([4.0, 1.0]), 0.5)
    assert torch.allclose(weights, torch.tensor([4 / 3, 2 / 3]))
    assert torch.equal(channel_weights(torch.tensor([4.0, 1.0]), 0.0), torch.ones(2))
