"""Recipes for discrete tokenizers: the backbone of `m` with a quantiser between encoder and decoder."""

from dataclasses import replace
from math import prod

from tubelet.quantizers.config import FSQConfig, LFQConfig, VQConfig
from tubelet.recipes.fidelity import m
from tubelet.train.tokenizer.config import LossWeights, Prefixes, TrainConfig
from tubelet.types import Stride

FSQ_LEVELS = (8, 8, 8, 5, 5, 5)
"""64,000 values: those of Cosmos DV, and the published ones for about 2^16."""

FSQ_DEEP_LEVELS = (8, 8, 8, 5, 5, 5, 8, 8, 8, 5, 5, 5)
"""Two tokens of the same size, so that they share a vocabulary."""

VQ_CHANNELS = 8
"""An entry of a codebook may be of any number of channels; eight are what the collapse experiment tried."""

LFQ_CHANNELS = 16
"""A bit each: about as many tokens as the others."""


def fsq() -> TrainConfig:
    """Discrete: 64,000 tokens by finite scalar quantisation, one per 4x8x8 pixels.

    ``tubelet train fsq --data DATA -o RUN --time-limit 45m``; further with
    ``--quantizer.entropy_weight 0.4`` for tokens that are used evenly (docs/lab-log.md).
    """
    medium = m()
    return replace(
        medium,
        model=replace(medium.model, name="tubelet-fsq", channels=len(FSQ_LEVELS)),
        quantizer=FSQConfig(levels=FSQ_LEVELS),
        prefixes=Prefixes(counts=(len(FSQ_LEVELS),), weights=(1.0,), maps=0.0),
        losses=LossWeights(log_mse=0.1, log_difference=0.03),
    )


def vq() -> TrainConfig:
    """Discrete: as many tokens as `fsq` by vector quantisation, whose unused entries are restarted.

    ``tubelet train vq --data DATA -o RUN --time-limit 75m``
    """
    base = fsq()
    return replace(
        base,
        model=replace(base.model, name="tubelet-vq", channels=VQ_CHANNELS),
        quantizer=VQConfig(codes=prod(FSQ_LEVELS), restart_below=0.1),
        prefixes=Prefixes(counts=(VQ_CHANNELS,), weights=(1.0,), maps=0.0),
    )


def lfq() -> TrainConfig:
    """Discrete: 65,536 tokens by lookup-free quantisation, a bit for each channel of `tubelet-m16`.

    ``tubelet train lfq --data DATA -o RUN --time-limit 75m``
    """
    base = fsq()
    return replace(
        base,
        model=replace(base.model, name="tubelet-lfq", channels=LFQ_CHANNELS),
        quantizer=LFQConfig(),
        start="tubelet-m16",
        prefixes=Prefixes(counts=(LFQ_CHANNELS,), weights=(1.0,), maps=0.0),
    )


def fsq_deep() -> TrainConfig:
    """Discrete and deep: two tokens of 64,000 values per 8x16x16 pixels, an eighth of the positions of `fsq`.

    ``tubelet train fsq_deep --data DATA -o RUN --time-limit 45m``
    """
    base = fsq()
    levels = FSQ_DEEP_LEVELS
    model = replace(
        base.model,
        name="tubelet-fsq-deep",
        patches=(Stride(4, 8, 8), Stride(2, 2, 2)),
        coefficients=(64, 256),
        channels=len(levels),
    )
    return replace(
        base,
        model=model,
        quantizer=FSQConfig(levels=levels, tokens=2),
        linear="klt-8x16x16",
        prefixes=Prefixes(counts=(len(levels),), weights=(1.0,), maps=0.0),
    )
