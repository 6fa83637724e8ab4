import math
from threading import Barrier, Thread, local

import pytest
import torch
import torch.distributed as dist

from tubelet.errors import LatentError, OptionError, ShapeError
from tubelet.quantizers.codebooks import drawn, drawn_from_all, k_means, mean_square
from tubelet.quantizers.ibq import IBQ
from tubelet.quantizers.residual_vq import ResidualVQ
from tubelet.quantizers.simvq import SimVQ
from tubelet.quantizers.vq import VQ

CHANNELS, CODES = 4, 50

MAKERS = {
    "vq": lambda: VQ(CHANNELS, CODES, restart_below=0.1),
    "vq, learned": lambda: VQ(CHANNELS, CODES, learned=True),
    "vq, cosine, rotation": lambda: VQ(CHANNELS, 300, cosine=True, rotation=True),
    "vq, cosine, learned": lambda: VQ(CHANNELS, CODES, cosine=True, learned=True),
    "residual vq": lambda: ResidualVQ(CHANNELS, CODES, 3, rotation=True),
    "simvq": lambda: SimVQ(CHANNELS, CODES),
    "ibq": lambda: IBQ(CHANNELS, CODES, entropy=0.1),
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0, scale=1.0):
    return torch.randn(shape, generator=seeded(seed)) * scale


@pytest.fixture(params=MAKERS, scope="module")
def quantizer(request):
    """Each of them, fitted to normal vectors."""
    quantizer = MAKERS[request.param]()
    quantizer.fit(noise(500, CHANNELS, seed=9), generator=seeded())
    return quantizer


def copied(quantizer):
    return {name: value.clone() for name, value in quantizer.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_batch_of_nothing_moves_nothing(quantizer):
    latent, before = noise(2, CHANNELS, 0, 3, 3), copied(quantizer)
    quantizer.update(latent, quantizer.quantize(latent), generator=seeded())
    assert same(before, copied(quantizer))


def test_a_fit_makes_the_error_small_and_the_entries_used(quantizer):
    latent = noise(1, CHANNELS, 4, 16, 16, seed=1)
    found = quantizer(latent)
    for digits, (codes,) in zip(found.digits.unbind(dim=1), quantizer.bases, strict=True):
        assert digits.unique().numel() > 0.6 * codes
    if not getattr(quantizer, "cosine", False):
        # Infinitely many channels at once would leave codes^(-2 / channels) of a normal vector per layer.
        bound = math.prod(2.5 * codes ** (-2 / CHANNELS) for (codes,) in quantizer.bases)
        assert (found.latent - latent).square().mean() < bound


def test_vectors_that_no_codebook_is_fitted_to_are_refused(quantizer):
    for bad in (math.nan, math.inf):
        with pytest.raises(LatentError, match="NaN"):
            quantizer.fit(torch.full((3, CHANNELS), bad), generator=seeded())
    for shape in ((3, CHANNELS + 1), (0, CHANNELS)):
        with pytest.raises(ShapeError, match="n c with c"):
            quantizer.fit(noise(*shape), generator=seeded())


@pytest.mark.parametrize(
    "make",
    [
        lambda: VQ(4, 1),
        lambda: VQ(0, 8),
        lambda: VQ(4, 8, decay=1.0),
        lambda: VQ(4, 8, restart_below=1.0),
        lambda: VQ(4, 8, commitment=math.nan),
        lambda: ResidualVQ(4, 8, 0),
        lambda: SimVQ(4, 8, commitment=-1.0),
        lambda: IBQ(4, 8, temperature=0.0),
    ],
)
def test_numbers_without_meaning_are_refused(make):
    with pytest.raises(OptionError):
        make()


def test_k_means_finds_clusters():
    centres = noise(2, 3, scale=5)
    vectors = (centres[:, None] + noise(2, 40, 3, seed=1, scale=0.01)).flatten(0, 1)
    for seed in range(4):
        codebook = k_means(vectors, 2, generator=seeded(seed))
        assert torch.cdist(centres, codebook).amin(dim=1).max() < 0.02


def test_k_means_lowers_the_error_and_leaves_no_two_entries_equal():
    vectors = noise(300, 3).repeat(2, 1)
    start, end = drawn(vectors, 40, seeded()), k_means(vectors, 40, generator=seeded())
    assert (
        torch.cdist(vectors, end).amin(dim=1).square().mean()
        < 0.8 * torch.cdist(vectors, start).amin(dim=1).square().mean()
    )
    for few in (torch.zeros(20, 3), noise(10, 3)):
        codebook = k_means(few, 40, generator=seeded())
        assert codebook.isfinite().all()
        assert codebook.shape == (40, 3)
    assert codebook.unique(dim=0).shape == (40, 3)


def test_the_mean_square_of_nothing_is_zero():
    first, second = noise(2, 3, 4), noise(2, 3, 4, seed=1)
    each = (first - second).square().mean(dim=(1, 2))
    assert torch.allclose(mean_square(first, second), each.mean())
    assert torch.allclose(mean_square(first, second, torch.tensor([0.0, 3.0])), each[1] * 1.5)
    assert mean_square(first[:, :0], second[:, :0]) == 0


class Company:
    """Threads that believe to be processes which train together."""

    def __init__(self, count, monkeypatch):
        self.count, self.barrier, self.mine = count, Barrier(count), local()
        self.given = [None] * count
        monkeypatch.setattr(dist, "is_initialized", lambda: True)
        monkeypatch.setattr(dist, "get_world_size", lambda: count)
        monkeypatch.setattr(dist, "get_rank", lambda: self.mine.rank)
        monkeypatch.setattr(dist, "all_reduce", lambda tensor: tensor.copy_(sum(self.all(tensor))))
        monkeypatch.setattr(dist, "broadcast", lambda tensor, src: tensor.copy_(self.all(tensor)[src]))

    def all(self, tensor):
        self.given[self.mine.rank] = tensor.clone()
        self.barrier.wait(timeout=60)
        found = list(self.given)
        self.barrier.wait(timeout=60)
        return found

    def run(self, work):
        """The result of `work` in each, given its number."""
        results = [None] * self.count

        def one(rank):
            self.mine.rank = rank
            results[rank] = work(rank)

        threads = [Thread(target=one, args=(rank,)) for rank in range(self.count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results


@pytest.mark.parametrize("name", ["vq", "vq, learned", "residual vq"])
def test_processes_with_a_share_each_stay_alike_and_equal_one_with_all(name, monkeypatch):
    latent = noise(4, CHANNELS, 2, 3, 3, seed=5)

    def moved(part):
        quantizer = MAKERS[name]()
        quantizer.update(part, quantizer.quantize(part), generator=seeded())
        return copied(quantizer)

    alone = moved(latent)
    first, second = Company(2, monkeypatch).run(lambda rank: moved(latent[2 * rank : 2 * rank + 2]))
    assert same(first, second)
    assert all(torch.allclose(first[key], alone[key], atol=1e-5) for key in alone)


def test_entries_of_all_processes_restart_at_the_same_vectors_of_all(monkeypatch):
    rows = noise(3, 10, CHANNELS)
    found = Company(3, monkeypatch).run(lambda rank: drawn_from_all(rows[rank], 6, seeded(rank)))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    for part in rows:
        assert (torch.cdist(found[0], part) == 0).any(dim=1).sum() == 2

    def restarted(rank):
        quantizer = VQ(CHANNELS, 20, restart_below=0.9, decay=0.5)
        latent = rows[rank].t().reshape(1, CHANNELS, 1, 1, 10)
        quantizer.update(latent, quantizer.quantize(latent), generator=seeded(rank))
        return copied(quantizer)

    first, second, third = Company(3, monkeypatch).run(restarted)
    assert same(first, second)
    assert same(first, third)
