"""Tokenizers that every law is tried on: linear and networks, strides, groupings and precisions."""

import pytest
import torch
from parts_model import PartsModel

import tubelet
from tubelet.models.klt.config import KLTConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Stride

CASCADES = {
    "4x8x8": ((Stride(4, 8, 8),), (16,)),
    "1x8x8": ((Stride(1, 8, 8),), (16,)),
    "8x16x16": ((Stride(4, 8, 8), Stride(2, 2, 2)), (16, 24)),
}


def make_tokenizer(
    *,
    cascade: str = "4x8x8",
    blocks: int = 0,
    lead_frame: bool = True,
    dtype: torch.dtype = torch.float32,
    memory: int = 2,
    variational: bool = False,
) -> ContinuousTokenizer:
    """A tokenizer with a random orthonormal transform and, with blocks, networks that change everything."""
    patches, coefficients = CASCADES[cascade]
    config = KLTConfig(
        name="random",
        patches=patches,
        coefficients=coefficients,
        channels=12,
        lead_frame=lead_frame,
        width=16,
        encoder_blocks=blocks,
        decoder_blocks=blocks,
        memory=memory,
        variational=variational,
    )
    tokenizer = ContinuousTokenizer.of(config).requires_grad_(requires_grad=False)
    generator = torch.Generator().manual_seed(blocks + 7)
    for parameter in tokenizer.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    for level in tokenizer.model.transform.klts:
        rows, columns = level.basis.shape
        level.basis.copy_(torch.linalg.qr(torch.randn(columns, rows, generator=generator))[0].T)
    return tokenizer.to(dtype).eval()


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
    "three parts": lambda: ContinuousTokenizer(PartsModel().eval()),
    "three parts float64 without lead frame": lambda: ContinuousTokenizer(
        PartsModel().double().eval(), lead_frame=False
    ),
}


@pytest.fixture(params=TOKENIZERS, scope="session")
def tokenizer(request: pytest.FixtureRequest) -> ContinuousTokenizer:
    """Each tokenizer in turn."""
    return TOKENIZERS[request.param]()
