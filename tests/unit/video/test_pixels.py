import numpy as np
import torch

from tubelet.video.pixels import from_model, to_model


def every_level() -> np.ndarray:
    return np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)


def test_every_level_survives_the_way_to_the_model_and_back():
    assert np.array_equal(from_model(to_model(every_level())), every_level())


def test_black_is_minus_one_and_white_is_one():
    video = to_model(every_level())
    assert (video.min().item(), video.max().item()) == (-1.0, 1.0)


def test_the_model_sees_one_clip_with_channels_before_time():
    assert to_model(np.zeros((2, 4, 5, 3), np.uint8)).shape == (1, 3, 2, 4, 5)


def test_frames_are_not_transposed_in_memory():
    video = to_model(np.zeros((2, 4, 5, 3), np.uint8))
    assert video.permute(0, 2, 3, 4, 1).is_contiguous()


def test_halves_are_rounded_to_the_even_level():
    halves = torch.tensor([0.5, 1.5, 2.5, 254.5], dtype=torch.float64) / 127.5 - 1
    video = halves.float().reshape(1, 1, 1, 1, 4).expand(1, 3, 1, 1, 4)
    exact = (halves.float() + 1) * 127.5
    assert from_model(video)[0, 0, :, 0].tolist() == exact.round().int().tolist()


def test_values_outside_the_range_are_clamped():
    video = torch.tensor([-3.0, 3.0, float("inf"), float("-inf"), float("nan")]).reshape(1, 1, 1, 1, 5)
    assert from_model(video.expand(1, 3, 1, 1, 5))[0, 0, :, 0].tolist() == [0, 255, 255, 0, 0]


def test_half_precision_output_of_a_model_is_taken():
    assert np.array_equal(from_model(to_model(every_level()).to(torch.float16)), every_level())


def test_a_model_output_in_any_memory_order_gives_contiguous_frames():
    frames = from_model(torch.zeros(1, 3, 2, 4, 5).contiguous())
    assert frames.flags.c_contiguous and frames.shape == (2, 4, 5, 3)


def test_the_frames_that_were_given_are_not_changed():
    frames = every_level()
    to_model(frames).zero_()
    assert np.array_equal(frames, every_level())
