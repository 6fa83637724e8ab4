import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from tubelet.quantizers import nearest as module
from tubelet.quantizers.nearest import most_similar, nearest, negative_product, squared_distance


def noise(*shape, seed=0, scale=1.0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def slow(vectors, codebook, measure=squared_distance):
    """Every distance in float64, and the first of the least."""
    rows = [measure(each.expand_as(codebook), codebook) for each in vectors]
    return torch.stack(rows).argmin(dim=1) if rows else torch.zeros(0, dtype=torch.int64)


def crowded(seed, channels=5):
    """Vectors in the middle between entries that come in pairs with one last bit between them."""
    codebook = noise(150, channels, seed=seed)
    twins = torch.nextafter(codebook, torch.tensor(torch.inf))
    codebook = torch.cat([codebook, twins])[
        torch.randperm(300, generator=torch.Generator().manual_seed(seed))
    ]
    return (codebook[:200] + codebook[100:]) / 2, codebook


@pytest.mark.parametrize("search", [(nearest, squared_distance), (most_similar, negative_product)])
@pytest.mark.parametrize(("count", "codes", "channels"), [(0, 3, 2), (7, 1, 1), (50, 128, 3), (33, 500, 8)])
def test_it_is_the_first_of_the_least_distances(search, count, codes, channels):
    find, measure = search
    vectors, codebook = noise(count, channels), noise(codes, channels, seed=1)
    assert torch.equal(find(vectors, codebook), slow(vectors, codebook, measure))


@settings(max_examples=20)
@given(st.integers(0, 99), st.integers(1, 199), st.sampled_from([7, 64, 10_000]))
def test_the_entry_of_a_vector_does_not_depend_on_what_else_is_asked(seed, cut, rows):
    """Not even where entries differ in their last bit, for any cut, order and size of chunk."""
    vectors, codebook = crowded(seed)
    whole = nearest(vectors, codebook)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_BYTES", rows * 4 * 384)
        order = torch.randperm(len(vectors), generator=torch.Generator().manual_seed(seed))
        assert torch.equal(nearest(vectors[order], codebook), whole[order])
        parts = torch.cat([nearest(vectors[:cut], codebook), nearest(vectors[cut:], codebook)])
    assert torch.equal(parts, whole)


def test_products_in_float32_alone_would_often_be_wrong():
    """Otherwise the two tests around this one could not fail."""
    vectors, codebook = crowded(0)
    scores = codebook.square().sum(dim=1) / 2 - vectors @ codebook.t()
    exact = slow(vectors, codebook)
    assert (scores.argmin(dim=1) != exact).float().mean() > 0.1
    assert torch.equal(nearest(vectors, codebook), exact)


def test_of_equal_entries_the_first_is_the_nearest():
    codebook = noise(40, 3).repeat(5, 1)
    vectors = noise(60, 3, seed=1)
    assert nearest(vectors, codebook).max() < 40
    assert torch.equal(nearest(vectors, codebook), nearest(vectors, codebook[:40]))


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e-5, 1e5, 1e18, 1e30])
def test_size_is_no_matter(scale):
    """Squares of such numbers are zero or infinite in float32."""
    vectors, codebook = noise(20, 3, scale=scale), noise(30, 3, seed=1, scale=scale)
    assert torch.equal(nearest(vectors, codebook), slow(vectors, codebook))
    assert torch.equal(most_similar(vectors, codebook), slow(vectors, codebook, negative_product))


def test_entries_far_away_and_vectors_far_from_zero_are_no_matter():
    vectors, codebook = noise(50, 4), noise(60, 4, seed=1)
    away = torch.cat([codebook, torch.full((1, 4), 1e25), torch.full((1, 4), -3e38)])
    assert torch.equal(nearest(vectors, away), nearest(vectors, codebook))
    assert torch.equal(nearest(vectors + 5e4, codebook + 5e4), slow(vectors + 5e4, codebook + 5e4))


def test_entries_near_zero_are_told_apart_by_products(monkeypatch):
    """As a codebook starts; with an error bound that forgets how short entries are, hundreds tie."""
    pairs = []

    def counted(first, second):
        pairs.append(len(first))
        return squared_distance(first, second)

    vectors, codebook = noise(64, 8), noise(4096, 8, seed=1, scale=1e-5)
    monkeypatch.setattr(module, "squared_distance", counted)
    found = nearest(vectors, codebook)
    assert sum(pairs) < len(vectors)
    assert torch.equal(found, slow(vectors, codebook))


def test_products_in_half_precision_cost_time_only(monkeypatch):
    vectors, codebook = noise(100, 6), noise(300, 6, seed=1)
    exact, addmm = nearest(vectors, codebook), torch.addmm

    def coarse(bias, first, second, *, alpha, out):
        return addmm(bias, first.bfloat16().float(), second.bfloat16().float(), alpha=alpha, out=out)

    monkeypatch.setattr(torch, "addmm", coarse)
    assert not torch.equal(nearest(vectors, codebook), exact)
    setting = torch.backends.mkldnn.matmul
    before = setting.fp32_precision
    setting.fp32_precision = "bf16"
    try:
        assert torch.equal(nearest(vectors, codebook), exact)
    finally:
        setting.fp32_precision = before


def test_autocast_does_not_reach_it():
    vectors, codebook = noise(200, 8), noise(500, 8, seed=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = nearest(vectors, codebook)
    assert torch.equal(found, nearest(vectors, codebook))


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation gives."""

    bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for each in result if isinstance(result, list | tuple) else [result]:
            if isinstance(each, torch.Tensor):
                self.bytes = max(self.bytes, each.untyped_storage().nbytes())
        return result


def test_no_more_than_a_chunk_of_scores_exists(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_BYTES", 1 << 17)
    vectors, codebook = noise(2000, 3), noise(1024, 3, seed=1)
    with Largest() as largest:
        nearest(vectors, codebook)
    assert largest.bytes == module.CHUNK_BYTES < 4 * len(vectors) * len(codebook) / 50
