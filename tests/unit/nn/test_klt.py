from itertools import product

import pytest
import torch

from tubelet.nn.klt import KLT, KLTCascade
from tubelet.types import Stride

PATCH = Stride(2, 3, 2)
DOUBLE = torch.float64


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def orthonormal_(level: KLT, seed: int) -> KLT:
    level.double().requires_grad_(requires_grad=False)
    level.basis.copy_(torch.linalg.qr(random(*level.basis.shape[::-1], seed=seed)).Q.T)
    level.mean.copy_(random(*level.mean.shape, seed=seed + 1))
    return level


def make(outputs: int) -> KLT:
    return orthonormal_(KLT(PATCH, inputs=3, outputs=outputs), seed=7)


def slow_forward(klt: KLT, x: torch.Tensor) -> torch.Tensor:
    """One number at a time."""
    b, c, frames, height, width = x.shape
    p, k = klt.patch, klt.basis.shape[0]
    out = torch.zeros(b, k, frames // p.t, height // p.h, width // p.w, dtype=x.dtype)
    for place in product(*(range(size) for size in out.shape)):
        n, channel, t, h, w = place
        within = product(range(p.t), range(p.h), range(p.w), range(c))
        for number, (i, j, l, m) in enumerate(within):  # noqa: E741
            pixel = x[n, m, t * p.t + i, h * p.h + j, w * p.w + l]
            out[place] += klt.basis[channel, number] * (pixel - klt.mean[number])
    return out


def test_a_complete_basis_gives_back_every_pixel():
    klt, x = make(36), random(2, 3, 4, 6, 4)
    assert torch.allclose(klt.inverse(klt(x)), x, rtol=0, atol=1e-12)


def test_a_complete_basis_keeps_the_energy_about_the_mean():
    klt, x = make(36), random(1, 3, 4, 6, 4)
    centred = x - klt.inverse(torch.zeros(1, 1, 2, 2, 2, dtype=DOUBLE))
    assert torch.allclose(klt(x).square().sum(), centred.square().sum())


def test_patches_are_read_in_the_order_frames_rows_columns_channels():
    klt, x = make(5), random(2, 3, 4, 6, 4)
    assert torch.allclose(klt(x), slow_forward(klt, x), rtol=0, atol=1e-12)


def test_the_inverse_is_the_transpose_of_the_transform():
    klt = make(5)
    x, y = random(1, 3, 4, 6, 4), random(1, 5, 2, 2, 2, seed=3)
    linear = klt(x) - klt(torch.zeros_like(x))
    adjoint = klt.inverse(y) - klt.inverse(torch.zeros_like(y))
    assert torch.allclose((linear * y).sum(), (x * adjoint).sum())


@pytest.mark.parametrize("kept", [1, 3, 4])
def test_missing_coefficients_count_as_zero(kept):
    klt, y = make(5), random(1, 5, 2, 2, 2)
    padded = y.clone()
    padded[:, kept:] = 0
    assert torch.allclose(klt.inverse(y[:, :kept]), klt.inverse(padded), rtol=0, atol=1e-12)


def test_coefficients_of_the_mean_patch_are_zero():
    klt = make(5)
    still = klt.inverse(torch.zeros(1, 5, 1, 1, 1, dtype=DOUBLE))
    assert torch.allclose(klt(still), torch.zeros(1, 5, 1, 1, 1, dtype=DOUBLE), atol=1e-12)


@pytest.fixture
def cascade() -> KLTCascade:
    made = KLTCascade((Stride(1, 2, 2), Stride(2, 2, 1)), (5, 7)).double()
    for seed, level in enumerate(made.klts):
        orthonormal_(level, seed)
    made.deviation.copy_(0.5 + random(7).abs())
    return made


def test_the_stride_of_a_cascade_is_the_product_of_its_patches(cascade):
    assert cascade.stride == Stride(2, 4, 2)


def test_a_cascade_is_one_matrix_on_the_whole_patch(cascade):
    first, second = cascade.klts
    size = 3 * 2 * 4 * 2
    composed = torch.zeros(7, 2, 4, 2, 3, dtype=DOUBLE)
    for k, t, h, c in product(range(7), range(2), range(2), range(5)):
        for i, j, m in product(range(2), range(2), range(3)):
            weight = second.basis[k, (t * 2 + h) * 5 + c] * first.basis[c, (i * 2 + j) * 3 + m]
            composed[k, t, 2 * h + i, j, m] += weight / cascade.deviation[k]
    video = random(1, 3, 2, 4, 2)
    patch = video[0].permute(1, 2, 3, 0).reshape(size)
    slow = composed.reshape(7, size) @ patch
    fast = (cascade(video) - cascade(torch.zeros_like(video))).flatten()
    assert torch.allclose(fast, slow, rtol=0, atol=1e-12)


def test_encoding_what_was_decoded_changes_nothing(cascade):
    latent = random(2, 7, 1, 2, 3)
    assert torch.allclose(cascade(cascade.inverse(latent)), latent, rtol=0, atol=1e-11)
