"""Tokenizers that every law is tried on: linear and networks, strides, groupings and precisions."""

import pytest
import torch
from parts_model import PartsModel
from random_tokenizers import (
    make_flow,
    make_levels,
    make_motion_network,
    make_motion_tokenizer,
    make_tokenizer,
    make_twin,
)

import tubelet
from tubelet.tokenizers.continuous import ContinuousTokenizer

TOKENIZERS = {
    "shipped": tubelet.load,
    "shipped without lead frame": lambda: tubelet.load(lead_frame=False),
    "linear float64": lambda: make_tokenizer(dtype=torch.float64),
    "linear 1x8x8": lambda: make_tokenizer(cascade="1x8x8"),
    "linear 8x16x16": lambda: make_tokenizer(cascade="8x16x16"),
    "network": lambda: make_tokenizer(blocks=1),
    "network float64": lambda: make_tokenizer(blocks=2, dtype=torch.float64),
    "network without lead frame": lambda: make_tokenizer(blocks=2, lead_frame=False),
    "network 1x8x8 without time": lambda: make_tokenizer(cascade="1x8x8", blocks=1, memory=0),
    "variational network": lambda: make_tokenizer(blocks=1, variational=True),
    "network 8x16x16": lambda: make_tokenizer(cascade="8x16x16", blocks=1),
    "predicting network": lambda: make_tokenizer(blocks=1, ahead=3),
    "predicting network float64": lambda: make_tokenizer(blocks=2, ahead=2, dtype=torch.float64),
    "flow": lambda: make_flow().refined(2, seed=3),
}


PARTS = {
    "three parts": lambda: ContinuousTokenizer(PartsModel().eval()),
    "three parts float64 without lead frame": lambda: ContinuousTokenizer(
        PartsModel().double().eval(), lead_frame=False
    ),
    "structure and dynamics": make_twin,
    "motion": make_motion_tokenizer,
    "networks along motion": make_motion_network,
    "global and detail": lambda: make_levels().refined(1, seed=5),
}
"""Tokenizers whose latents have several parts, for the laws that have a door for these."""


@pytest.fixture(params=TOKENIZERS | PARTS, scope="session")
def any_tokenizer(request: pytest.FixtureRequest) -> ContinuousTokenizer:
    """Each tokenizer in turn, and those of several parts."""
    return (TOKENIZERS | PARTS)[request.param]()


@pytest.fixture(params=TOKENIZERS, scope="session")
def tokenizer(request: pytest.FixtureRequest) -> ContinuousTokenizer:
    """Each tokenizer in turn."""
    return TOKENIZERS[request.param]()
