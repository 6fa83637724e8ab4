"""Where the training of a tokenizer starts: at a linear one, or at one that was trained before."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from tubelet import checkpoint
from tubelet.data.crops import Crops
from tubelet.errors import OptionError
from tubelet.models.klt.config import KLTConfig
from tubelet.models.klt.narrow import encoder_of_distribution
from tubelet.models.motion.config import MotionConfig
from tubelet.models.protocol import PredictiveModel
from tubelet.quantizers.config import QuantizerConfig, same_tokens
from tubelet.quantizers.protocol import Quantizer
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.start import differences
from tubelet.train.tokenizer.batches import latents_of
from tubelet.train.tokenizer.config import TrainConfig
from tubelet.train.tokenizer.network import Network

_VECTORS = 400_000
"""Of so many positions at most."""

_FITTING_WINDOWS = 256
"""Windows of crops whose latents a quantiser is fitted to."""

_ADDED = ("ahead", "variational")
"""What a run may teach a model that it starts from."""


def counts_bits(config: TrainConfig) -> bool:
    """Whether a run estimates what rounded latents cost."""
    return config.losses.rate > 0


def built(config: TrainConfig) -> Network:
    """A network of no data yet, for a run."""
    return Network.build(config.model, config.quantizer, rate=counts_bits(config))


def first_network(config: TrainConfig, crops: Crops) -> Network:
    """The network that a run begins with.

    Args:
        config: of the run; a start of the same tokens goes on as it is, another gives what its first channels
            compute, and a quantiser that it has not is fitted to its latents.
        crops: what the run is trained on.

    Raises:
        OptionError: what it starts from is of another model, or has fewer channels.
        CheckpointError: what it starts from cannot be read.
    """
    if config.start is not None:
        return _from_trained(config, config.start, crops)
    linear = None if config.linear is None else checkpoint.load(config.linear)
    model = config.model.start(crops, seed=config.seed, linear=None if linear is None else linear.model)
    tokenizer = ContinuousTokenizer(model, lead_frame=config.model.lead_frame, config=config.model)
    return _around(tokenizer, config, crops)


def fitted_quantizer(
    config: QuantizerConfig, tokenizer: ContinuousTokenizer, crops: Crops, *, seed: int
) -> Quantizer:
    """Build a quantiser and fit it to the latents of random windows of crops.

    Args:
        config: what to build.
        tokenizer: whose latents.
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


def _around(tokenizer: ContinuousTokenizer, config: TrainConfig, crops: Crops) -> Network:
    """The network of a run around a tokenizer, with a quantiser that is fitted to its latents."""
    quantizer = None
    if config.quantizer is not None:
        quantizer = fitted_quantizer(config.quantizer, tokenizer, crops, seed=config.seed)
    return Network(tokenizer, quantizer, rate=counts_bits(config))


def _from_trained(config: TrainConfig, start: str, crops: Crops) -> Network:
    """The network of a trained tokenizer, or of its first channels with what a run adds to them."""
    trained, model, quantizer = _trained(start)
    same = same_tokens(quantizer, config.quantizer)
    own: dict[str, Any] = {"name": config.model.name}
    if quantizer is None:
        own |= {"channels": config.model.channels}
    if isinstance(model, KLTConfig) and isinstance(config.model, KLTConfig):
        own |= {"gate": config.model.gate}
        own |= {name: getattr(config.model, name) for name in _ADDED if not getattr(model, name)}
    if (own_model := replace(model, **own)) != config.model or not (same or quantizer is None):
        what = (
            f"its model: {differences(own_model, config.model)}"
            if own_model != config.model
            else f"its quantiser: {differences(quantizer, config.quantizer)}"
        )
        raise OptionError(
            f"start is {start}, which the run cannot go on from: {what}. A run goes on from the same model, "
            "or from a continuous one of as many channels or more. Change the model's fields, or leave start "
            "out."
        )
    # Estimates of bits begin, and so does a gate: it was fitted to weights that will change.
    if same and all(getattr(model, name) == getattr(config.model, name) for name in ("channels", *_ADDED)):
        network = built(config)
        network.load_state_dict(network.state_dict() | _without_gate(trained.state_dict()))
        return network
    tokenizer = ContinuousTokenizer.of(config.model)
    tokenizer.load_weights(tokenizer.weights() | _weights_for(config, trained.tokenizer))
    return _around(tokenizer, config, crops)


def _weights_for(config: TrainConfig, trained: ContinuousTokenizer) -> dict[str, Tensor]:
    """The weights of a trained tokenizer for a run whose model has fewer channels, or learns more."""
    model = trained.model.narrowed(config.model.channels)
    if isinstance(model, PredictiveModel) and config.model.ahead:
        model = model.predictive(config.model.ahead)
    weights = _without_gate(ContinuousTokenizer(model).weights())
    adds_variances = config.model.variational and not model.variational
    return weights | (encoder_of_distribution(weights) if adds_variances else {})


def _without_gate(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight for name, weight in weights.items() if "gate" not in name.split(".")}


def _trained(name: str) -> tuple[Network, KLTConfig | MotionConfig, QuantizerConfig | None]:
    """The network of a trained tokenizer of either kind, and its numbers."""
    if checkpoint.architecture(name) == "discrete":
        discrete = checkpoint.read_discrete(name)
        network = Network(discrete.tokenizer.backbone, discrete.tokenizer.quantizer)
        config = discrete.tokenizer.config
        return network, config.backbone, config.quantizer
    tokenizer = checkpoint.load(name)
    if not isinstance(tokenizer.config, KLTConfig | MotionConfig):
        raise OptionError(
            f"start is {name}, a {type(tokenizer.config).__name__}; this run trains a transform or one along "
            "motion. Start from another."
        )
    return Network(tokenizer), tokenizer.config, None
