"""Clips, cuts and tiles for the laws, drawn by hypothesis."""

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Video

LAW = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""Few examples per tokenizer, many tokenizers."""

frames = st.integers(1, 40)
sides = st.integers(1, 70)
shapes = st.tuples(frames, sides, sides)
small_shapes = st.tuples(st.integers(1, 18), sides, sides)
seeds = st.integers(0, 2**31)
tiles = st.tuples(st.integers(1, 9), st.integers(1, 9))


def make_clip(tokenizer: ContinuousTokenizer, shape: tuple[int, int, int], seed: int) -> Video:
    """Noise in [-1, 1]: no structure for a broken law to hide behind."""
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(1, 3, *shape, generator=generator, dtype=tokenizer.dtype) - 1
