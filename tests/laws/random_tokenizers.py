"""Tokenizers with random weights, whose networks change everything."""

import torch

from tubelet.models.flow.config import FlowConfig
from tubelet.models.klt.config import KLTConfig
from tubelet.models.levels.config import LevelsConfig
from tubelet.models.motion.config import MotionConfig
from tubelet.models.twin.config import TwinConfig
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
    ahead: int = 0,
    gate: bool = False,
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
        ahead=ahead,
        gate=gate,
    )
    tokenizer = ContinuousTokenizer.of(config).requires_grad_(requires_grad=False)
    generator = torch.Generator().manual_seed(blocks + 7)
    for parameter in tokenizer.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    for level in tokenizer.model.transform.klts:
        rows, columns = level.basis.shape
        level.basis.copy_(torch.linalg.qr(torch.randn(columns, rows, generator=generator))[0].T)
    return tokenizer.to(dtype).eval()


def make_twin() -> ContinuousTokenizer:
    """Structure and dynamics with random profiles, and networks that change everything."""
    config = TwinConfig(
        name="random",
        structure=5,
        dynamics=2,
        features=6,
        width=6,
        structure_blocks=1,
        dynamics_blocks=1,
        decoder_blocks=1,
    )
    tokenizer = ContinuousTokenizer.of(config).requires_grad_(requires_grad=False)
    generator = torch.Generator().manual_seed(11)
    for parameter in tokenizer.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    model = tokenizer.model
    for basis in (model.still.basis, model.patches.basis, model.factors.rows, model.factors.columns):
        rows, columns = basis.shape
        basis.copy_(torch.linalg.qr(torch.randn(columns, rows, generator=generator))[0].T)
    return tokenizer.eval()


def make_flow(*, dtype: torch.dtype = torch.float32, lead_frame: bool = True) -> ContinuousTokenizer:
    """A tokenizer with a flow, whose networks change everything."""
    base = KLTConfig(
        name="random", coefficients=(16,), channels=12, width=8, encoder_blocks=1, decoder_blocks=1
    )
    config = FlowConfig(name="random-flow", base=base, lead_frame=lead_frame, width=8, blocks=1)
    tokenizer = ContinuousTokenizer.of(config).requires_grad_(requires_grad=False)
    generator = torch.Generator().manual_seed(13)
    for tensor in (*tokenizer.parameters(), tokenizer.model.refiner.business):
        tensor.add_(0.1 * torch.randn(tensor.shape, generator=generator))
    (level,) = tokenizer.model.base.transform.klts
    rows, columns = level.basis.shape
    level.basis.copy_(torch.linalg.qr(torch.randn(columns, rows, generator=generator))[0].T)
    return tokenizer.to(dtype).eval()


def make_motion_tokenizer() -> ContinuousTokenizer:
    """A tokenizer along motion with two random orthonormal bases."""
    tokenizer = ContinuousTokenizer.of(MotionConfig(name="random-motion", channels=12))
    bases = tokenizer.requires_grad_(requires_grad=False).model.transform
    generator = torch.Generator().manual_seed(7)
    for level in (bases.along, bases.plain):
        rows, columns = level.basis.shape
        level.basis.copy_(torch.linalg.qr(torch.randn(columns, rows, generator=generator))[0].T)
    return tokenizer.eval()


def make_motion_network() -> ContinuousTokenizer:
    """The same with networks that change everything."""
    config = MotionConfig(
        name="random-motion", channels=12, coefficients=16, width=16, encoder_blocks=1, decoder_blocks=1
    )
    tokenizer = ContinuousTokenizer.of(config).requires_grad_(requires_grad=False)
    generator = torch.Generator().manual_seed(19)
    for parameter in tokenizer.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    for level in tokenizer.model.transform.klts:
        rows, columns = level.basis.shape
        level.basis.copy_(torch.linalg.qr(torch.randn(columns, rows, generator=generator))[0].T)
    return tokenizer.eval()


def make_levels() -> ContinuousTokenizer:
    """A global and a detail part of a random tokenizer with a flow."""
    flow = make_flow()
    config = LevelsConfig(name="random-levels", base=flow.config, channels=9, seen=5)
    tokenizer = ContinuousTokenizer.of(config).requires_grad_(requires_grad=False)
    model = tokenizer.model
    model.base.load_state_dict(flow.model.state_dict())
    generator = torch.Generator().manual_seed(17)
    rows, columns = model.level.basis.shape
    model.level.basis.copy_(torch.linalg.qr(torch.randn(columns, rows, generator=generator))[0].T)
    for buffer in (model.level.mean, model.global_deviation, model.detail_mean, model.detail_deviation):
        buffer.add_(0.1 * torch.rand(buffer.shape, generator=generator))
    return tokenizer.eval()
