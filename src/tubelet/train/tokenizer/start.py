"""A quantiser that is fitted to latents before it is trained."""

import torch
from einops import rearrange

from tubelet.data.crops import Crops
from tubelet.quantizers.config import QuantizerConfig
from tubelet.quantizers.protocol import Quantizer
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.tokenizer.batches import latents_of

_VECTORS = 400_000
"""Of so many positions at most."""

_FITTING_WINDOWS = 256
"""Windows of crops whose latents a quantiser is fitted to."""


def fitted_quantizer(
    config: QuantizerConfig, tokenizer: ContinuousTokenizer, crops: Crops, *, seed: int
) -> Quantizer:
    """Build a quantiser and fit it to the latents of random windows of crops.

    Args:
        config: what to build.
        tokenizer: whose latents; as yet the linear ones.
        crops: what it will be trained on.
        seed: of the windows, and of all that the quantiser draws.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        quantizer = config.build(tokenizer.channels)
    latents = latents_of(tokenizer, crops, windows=_FITTING_WINDOWS)
    vectors = torch.cat([rearrange(latent, "b c t h w -> (b t h w) c") for latent in latents])
    kept = torch.randperm(len(vectors), generator=generator)[:_VECTORS]
    quantizer.fit(vectors[kept], generator=generator)
    return quantizer
