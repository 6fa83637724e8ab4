"""Random clips that a seed decides, and runs that are interrupted."""

import os
import signal
from collections.abc import Callable

import pytest
import torch
from torch import Tensor


@pytest.fixture(scope="session")
def draw() -> Callable[..., Tensor]:
    """Values between -1 and 1."""

    def make(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.rand(shape, generator=generator, dtype=torch.float64).mul(2).sub(1).to(dtype)

    return make


@pytest.fixture
def stop_after() -> Callable[[int], Callable]:
    """Asks a run to stop as `kill` does, once a step is done; the next one may be under way then."""

    def make(iteration: int) -> Callable:
        def stop(_progress, number, _figures):
            if number == iteration:
                os.kill(os.getpid(), signal.SIGTERM)

        return stop

    return make
