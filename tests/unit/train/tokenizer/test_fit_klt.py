import numpy as np
import pytest
import torch

from tubelet.errors import OptionError
from tubelet.models.klt.config import KLTConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.tokenizer.fit_klt import LEVELS, Sampling, fit_klt, klt_config
from tubelet.types import Stride
from tubelet.video.pixels import to_model

STRIDE = Stride(2, 4, 4)
NUMBERS = 96
EVERYTHING = Sampling(runs=12, patches=10_000, short_sides=(None,))


def config(**changes) -> KLTConfig:
    usual = {
        "name": "fitted",
        "patches": (STRIDE,),
        "coefficients": (12,),
        "channels": 12,
        "lead_frame": False,
    }
    return KLTConfig(**(usual | changes))


DEEP = config(patches=(STRIDE, Stride(1, 2, 2)), coefficients=(12, 10), channels=10)


def mottled(frames: int, height: int, width: int, seed: int) -> np.ndarray:
    """Noise that is smooth in space and time, as pictures are."""
    values = np.random.default_rng(seed).normal(size=(frames, height, width, 3))
    for axis in (0, 1, 1, 2, 2):
        values += np.roll(values, 1, axis)
        values += np.roll(values, 2, axis) / 2
    return np.clip(128 + values * (40 / values.std()), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for seed in range(4):
        np.save(folder / f"{seed}.npy", mottled(9, 32, 40, seed))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """A clip of exactly one group: whatever places are drawn, only its beginning gives a whole run."""
    path = tmp_path_factory.mktemp("single") / "clip.npy"
    np.save(path, mottled(STRIDE.t, 64, 96, seed=9))
    return path


@pytest.fixture(scope="module")
def latent(single):
    tokenizer = fit_klt(config(), [single], EVERYTHING)
    vectors = tokenizer.encode(to_model(np.load(single))).flatten(2)[0]
    return vectors.double()


def test_the_latent_of_what_was_fitted_has_zero_mean(latent):
    assert latent.mean(dim=1).abs().max() < 1e-4


def test_the_latent_of_what_was_fitted_has_unit_variance(latent):
    assert (latent.var(dim=1, correction=0) - 1).abs().max() < 1e-3


def test_channels_of_what_was_fitted_are_uncorrelated(latent):
    off_diagonal = torch.corrcoef(latent) - torch.eye(12)
    assert off_diagonal.abs().max() < 1e-3


def test_a_second_level_is_ready_to_use_too(single):
    tokenizer = fit_klt(DEEP, [single], EVERYTHING)
    latent = tokenizer.encode(to_model(np.load(single))).flatten(2)[0].double()
    assert latent.mean(dim=1).abs().max() < 1e-4
    assert (latent.var(dim=1, correction=0) - 1).abs().max() < 1e-3


def test_the_strongest_channels_come_first(clips):
    deviation = fit_klt(config(), clips, Sampling(short_sides=(None,))).model.transform.deviation
    assert (deviation.diff() <= 0).all()


def test_the_basis_is_orthonormal(clips):
    basis = fit_klt(config(), clips, Sampling(short_sides=(None,))).model.transform.klts[0].basis
    assert torch.allclose(basis @ basis.T, torch.eye(12), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 4, 12])
def test_no_random_basis_of_as_many_channels_comes_as_close(single, channels, make_tokenizer):
    video = to_model(np.load(single))
    size = dict(zip(("frames", "height", "width"), video.shape[2:], strict=True))
    fitted = fit_klt(config(), [single], EVERYTHING)

    def error(tokenizer) -> float:
        back = tokenizer.decode(tokenizer.encode(video, channels=channels), **size)
        return float((back - video).square().mean())

    best = error(fitted)
    for seed in range(5):
        other = make_tokenizer(
            seed=seed, patches=(STRIDE,), coefficients=(12,), channels=12, lead_frame=False
        ).tokenizer
        other.model.transform.klts[0].mean.copy_(fitted.model.transform.klts[0].mean)
        assert best < error(other)


def test_the_same_seed_gives_the_same_tokenizer(clips):
    sampling = Sampling(runs=3, patches=30, short_sides=(16, None), seed=5)
    one, two = (fit_klt(config(), clips, sampling).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_another_seed_sees_other_patches(clips):
    one, two = (
        fit_klt(config(), clips, Sampling(runs=3, patches=30, short_sides=(None,), seed=seed))
        for seed in (0, 1)
    )
    assert not torch.equal(one.model.transform.deviation, two.model.transform.deviation)


def test_levels_that_are_taken_over_are_not_fitted_again(clips):
    start = fit_klt(config(), clips[:1], Sampling(short_sides=(None,), seed=7))
    deep = fit_klt(DEEP, clips, Sampling(short_sides=(None,)), start=start)
    assert torch.equal(deep.model.transform.klts[0].basis, start.model.transform.klts[0].basis)
    assert torch.equal(deep.model.transform.klts[0].mean, start.model.transform.klts[0].mean)


def test_starting_from_what_would_be_fitted_changes_nothing(clips):
    sampling = Sampling(short_sides=(None,))
    started = fit_klt(DEEP, clips, sampling, start=fit_klt(config(), clips, sampling))
    whole = fit_klt(DEEP, clips, sampling)
    assert torch.equal(started.model.transform.deviation, whole.model.transform.deviation)


@pytest.mark.parametrize(
    "start",
    [
        config(patches=(Stride(2, 4, 2),)),
        config(coefficients=(11,), channels=11),
        DEEP,
    ],
    ids=["other patches", "other coefficients", "as deep"],
)
def test_levels_that_do_not_fit_are_not_taken_over(clips, start):
    with pytest.raises(OptionError, match="tokenizer to start from"):
        fit_klt(DEEP, clips, Sampling(), start=ContinuousTokenizer.of(start))


def test_fewer_patches_than_numbers_in_a_patch_are_refused(clips):
    sampling = Sampling(runs=1, patches=2, short_sides=(None,))
    with pytest.raises(OptionError, match=f"patches of {NUMBERS} numbers; at least {NUMBERS} are needed"):
        fit_klt(config(), clips, sampling)


def test_a_clip_that_cannot_be_read_is_skipped_and_named(clips, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    skipped = []
    sampling = Sampling(short_sides=(None,))
    with_it = fit_klt(config(), [*clips, broken], sampling, on_skip=lambda path, _: skipped.append(path))
    assert skipped == [broken]
    assert torch.equal(
        with_it.model.transform.deviation, fit_klt(config(), clips, sampling).model.transform.deviation
    )


def test_a_coefficient_that_never_varies_is_not_divided_by_zero(tmp_path):
    np.save(tmp_path / "grey.npy", np.full((2, 64, 96, 3), 128, np.uint8))
    tokenizer = fit_klt(config(), [tmp_path / "grey.npy"], EVERYTHING)
    latent = tokenizer.encode(torch.zeros(1, 3, 2, 8, 8))
    assert latent.isfinite().all()


@pytest.mark.parametrize("changes", [{"runs": 0}, {"patches": 0}, {"runs": -1}, {"seed": -1}], ids=str)
def test_sampling_without_meaning_is_refused(changes):
    with pytest.raises(OptionError, match="start at 1 and the seed at 0"):
        Sampling(**changes)


@pytest.mark.parametrize("stride", LEVELS, ids=str)
def test_a_usual_stride_is_what_its_levels_multiply_to(stride):
    assert klt_config(stride).build().stride == stride


def test_a_stride_beyond_one_level_is_answered_with_those_that_have_several():
    with pytest.raises(OptionError, match=r"holds 24576 numbers; .* 8x32x32"):
        klt_config(Stride(2, 64, 64))
