"""What a training step runs: a tokenizer there and back in one call, so that processes can share it."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import nn

from tubelet.nn.prefix import Counts
from tubelet.quantizers.config import QuantizerConfig
from tubelet.quantizers.protocol import Quantized, Quantizer
from tubelet.tokenizers.config import ContinuousConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.posterior import Posterior
from tubelet.types import Latent, Video


class Reconstruction(NamedTuple):
    """A clip there and back.

    Attributes:
        video: what came back.
        posterior: the distribution of the latent; none if the tokenizer knows none.
        latent: what the encoder gave.
        quantized: what the quantiser made of it; none where there is none.
    """

    video: Video
    posterior: Posterior | None
    latent: Latent
    quantized: Quantized | None


class Network(nn.Module):
    """Encode, quantise, add noise, drop channels, decode: one call, because DDP and FSDP watch calls.

    Attributes:
        tokenizer: the continuous tokenizer, or the backbone of a discrete one.
        quantizer: of a discrete one.
    """

    def __init__(self, tokenizer: ContinuousTokenizer, quantizer: Quantizer | None = None) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.quantizer = quantizer

    @classmethod
    def build(cls, model: ContinuousConfig, quantizer: QuantizerConfig | None) -> "Network":
        """A network of no data yet."""
        return cls(model.build(), None if quantizer is None else quantizer.build(model.channels))

    def forward(
        self, video: Video, counts: Counts, noise: Latent | None, spread: Latent | None
    ) -> Reconstruction:
        """Reconstruct clips.

        Args:
            video: clips in [-1, 1].
            counts: channels that each position keeps.
            noise: added to the latent before it is decoded.
            spread: standard normal noise for drawing from the posterior; none to decode its mean.
        """
        tokenizer = self.tokenizer
        frames, height, width = video.shape[2:]
        grouping = tokenizer.grouping
        encoded = tokenizer.encode_groups(grouping.group(video), None)
        posterior = None
        latent = encoded.latent
        if encoded.log_variance is not None:
            posterior = Posterior(mean=encoded.latent, log_variance=encoded.log_variance)
            if spread is not None:
                latent = posterior.at(spread)
        quantized = None if self.quantizer is None else self.quantizer(latent)
        if quantized is not None:
            latent = quantized.latent
        noisy = latent if noise is None else latent + noise
        groups = tokenizer.decode_steps(noisy, None, counts=counts).groups
        back = grouping.ungroup(groups, frames=frames, height=height, width=width)
        return Reconstruction(back, posterior, encoded.latent, quantized)


def set_trainable(network: Network, *, encoder: bool, transform: bool) -> None:
    """Freeze what a stage does not train; a frozen encoder keeps transform and quantiser frozen too."""
    tokenizer = network.tokenizer
    network.requires_grad_()
    if isinstance(network.quantizer, nn.Module):
        network.quantizer.requires_grad_(encoder)
    tokenizer.transform.requires_grad_(transform and encoder)
    if tokenizer.encoder is not None:
        tokenizer.encoder.requires_grad_(encoder)


def autocast(device: torch.device, *, bfloat16: bool) -> torch.autocast:
    """Let networks compute in bfloat16 where the machine can; what must be float32 says so itself."""
    return torch.autocast(
        device.type, dtype=torch.bfloat16, enabled=bfloat16 and computes_bfloat16(device.type)
    )


@lru_cache
def computes_bfloat16(device: str) -> bool:
    """Whether a kind of device has instructions for bfloat16; a CPU without takes thirty times as long."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device == "cpu":
        return any(
            there is True and name.endswith("bf16") for name, there in torch.cpu.get_capabilities().items()
        )
    return True
