"""What generators are trained for, on clips of the evaluation, at fixed seeds, times and hidden digits."""

import math

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from tubelet.generate.autoregressive.likelihood import bits_of
from tubelet.generate.autoregressive.network import AutoregressiveTransformer
from tubelet.generate.checkpoint import TextToVideo
from tubelet.generate.dit.flow import channel_weights, flow_loss, noisy
from tubelet.generate.dit.network import DiT
from tubelet.generate.dit.sampler import noise_of
from tubelet.generate.known_tokenizer import continuous_of, decodable
from tubelet.generate.masked.network import MaskedTransformer
from tubelet.generate.prompts import Prompts
from tubelet.generate.tokens.config import TokenConfig
from tubelet.generate.tokens.digits import DigitGrid, split_digits
from tubelet.generate.tokens.draws import digit_losses
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.types import Latent

LOSSES = ("flow_loss", "bits_per_token", "bits_per_pixel")
"""Their names, of all kinds of generators."""

_TIMES = tuple((number + 0.5) / 8 for number in range(8))


@torch.no_grad()
def losses_of(model: TextToVideo, words: Prompts, encoded: Tensor) -> list[dict[str, float]]:
    """The losses of each clip, by name.

    Of a diffusion transformer the flow loss, in the mean over fixed times with fixed noise. Of generators of
    tokens the bits of the true clip, per token of the tokenizer and per pixel: exactly, of an autoregressive
    one; of a masked one an upper bound in expectation, estimated with fixed hidden digits.

    Args:
        model: the generator.
        words: of the captions.
        encoded: the clips, as `encode_frames` gives them.
    """
    network = model.network
    device = next(network.parameters()).device
    words = words.to(device)
    if isinstance(network, DiT):
        latent = decodable(model.tokenizer, encoded)
        return [{"flow_loss": loss} for loss in _flow_losses(model, network, words, latent)]
    tokenizer = model.tokenizer.tokenizer
    assert isinstance(tokenizer, DiscreteTokenizer), "generators of tokens are read with one"
    digits = split_digits(encoded, tokenizer.bases).to(device)
    if isinstance(network, AutoregressiveTransformer):
        bits = bits_of(network, digits, words).tolist()
    else:
        bits = _bits_at_most(network, digits, words)
    tokens, pixels = _tokens_and_pixels(network.config, tokenizer)
    return [{"bits_per_token": each / tokens, "bits_per_pixel": each / pixels} for each in bits]


def _tokens_and_pixels(config: TokenConfig, tokenizer: DiscreteTokenizer) -> tuple[int, int]:
    """How many tokens and pixels a clip of a window has."""
    tokens = len(tokenizer.bases) * config.steps * config.rows * config.columns
    frames, stride = tokenizer.grouping.first_frame(config.steps), tokenizer.stride
    return tokens, frames * config.rows * stride.h * config.columns * stride.w


def _bits_at_most(network: MaskedTransformer, digits: DigitGrid, words: Prompts) -> list[float]:
    """An estimate of a bound of the bits of clips (Hoogeboom et al. 2021, arXiv:2110.02037, equation 4).

    Digits said one after the other in a random order cost, in the mean, their number times what a digit costs
    with an even random fraction of them hidden; and a clip takes no more bits than in the mean over orders.
    """
    bases = rearrange(torch.tensor(network.config.bases, device=digits.device), "d -> d 1 1 1")
    total = torch.zeros(len(digits), dtype=torch.float64, device=digits.device)
    for number, time in enumerate(_TIMES):
        order = np.random.default_rng(number).random(digits.shape[1:])
        hidden = order < np.quantile(order, time, axis=(1, 2, 3), keepdims=True)
        hidden = torch.from_numpy(hidden).to(digits.device)
        logits = network(torch.where(hidden, bases, digits), words, lead=True)
        losses = (digit_losses(logits, digits) * hidden).double()
        total += losses.sum(dim=(1, 2, 3, 4)) / hidden.sum()
    return (total / len(_TIMES) * digits[0].numel() / math.log(2)).tolist()


def _flow_losses(model: TextToVideo, network: DiT, words: Prompts, latent: Latent) -> list[float]:
    """The loss of training on each clip, in the mean over fixed times, with fixed noise."""
    config, clips = network.config, len(latent)
    data = network.normalise(latent.to(network.mean.device, network.mean.dtype))
    shape = (config.channels, config.rows, config.columns)
    noise = torch.stack([noise_of(index, range(config.steps), shape) for index in range(clips)])
    noise = noise.to(data.device, data.dtype)
    (units,) = continuous_of(model.tokenizer).model.pixel_units().values()
    deviations = units[: config.channels].to(data.device, data.dtype) * network.deviation
    weights = channel_weights(deviations, 0.5)
    given = torch.zeros(clips, dtype=torch.int64, device=data.device)
    total = torch.zeros(clips, device=data.device, dtype=data.dtype)
    for time in _TIMES:
        times = torch.full((clips,), time, device=data.device, dtype=data.dtype)
        velocity = network(noisy(data, noise, times, given), times, words, given, lead=True)
        total += flow_loss(velocity, data, noise, given, weights)
    return (total / len(_TIMES)).tolist()
