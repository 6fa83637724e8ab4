"""A global and a detail part: what each says, and that both together are the latent they are of."""

import numpy as np
import pytest
import torch

import tubelet
from tubelet.data.scenes import SceneOptions
from tubelet.data.scenes.write import write_scenes
from tubelet.errors import OptionError
from tubelet.models.klt.model import PART
from tubelet.models.levels.config import LevelsConfig
from tubelet.models.levels.model import DETAIL, GLOBAL
from tubelet.train.tokenizer.fit_klt import Sampling
from tubelet.train.tokenizer.fit_levels import fit_levels, levels_config
from tubelet.video.pixels import to_model

SEEN = 2


@pytest.fixture(scope="module")
def flow():
    return tubelet.load("tubelet-flow").requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    options = SceneOptions(height=96, width=128, frames=33, pan=1.0)
    write_scenes(folder / "scenes", count=8, seed=2, options=options)
    return sorted((folder / "scenes").glob("*.mp4"))


@pytest.fixture(scope="module")
def fitted(flow, clips):
    config = LevelsConfig(name="levels", base=flow.config, channels=24, seen=SEEN)
    return fit_levels(config, clips, Sampling(runs=2), start=flow)


@pytest.fixture(scope="module")
def video():
    generator = torch.Generator().manual_seed(1)
    rough = torch.rand(1, 3, 9, 3, 4, generator=generator)
    return torch.nn.functional.interpolate(rough, size=(33, 64, 96), mode="trilinear") * 2 - 1


def decoded(tokenizer, latents, video, **known):
    frames, height, width = video.shape[2:]
    known = {name: torch.full((1, 1, 1, 1, 1), count) for name, count in known.items()}
    return tokenizer.decode_parts(latents, frames=frames, height=height, width=width, known=known)


def test_both_parts_are_what_the_tokenizer_gives(fitted, flow, video):
    groups = fitted.grouping.group(video)
    plain = flow.model.decode_groups({PART: flow.model.encode_groups(groups, None).latents[PART]}, None, {})
    parts = fitted.model.encode_groups(groups, None).latents
    found = fitted.model.decode_groups(parts, None, {})
    torch.testing.assert_close(found.groups, plain.groups, atol=1e-4, rtol=0)


def test_each_part_is_of_its_stride(fitted, video):
    shapes = {name: tuple(part.shape[1:]) for name, part in fitted.encode_parts(video).items()}
    assert shapes == {GLOBAL: (24, 3, 2, 3), DETAIL: (64, 9, 8, 12)}


def test_without_detail_the_global_part_shows_more_than_its_mean(fitted, video):
    latents = fitted.encode_parts(video)
    with_global = (decoded(fitted, latents, video, detail=0) - video).square().mean()
    with_neither = (decoded(fitted, latents, video, **{DETAIL: 0, GLOBAL: 0}) - video).square().mean()
    assert with_global < 0.5 * with_neither


def test_more_global_channels_show_more(fitted, video):
    latents = fitted.encode_parts(video)
    errors = [
        float((decoded(fitted, latents, video, **{DETAIL: 0, GLOBAL: count}) - video).square().mean())
        for count in (1, 6, 24)
    ]
    assert errors == sorted(errors, reverse=True)


def test_channels_have_the_statistics_of_what_was_seen(fitted, clips):
    parts = [
        fitted.encode_parts(to_model(np.concatenate([run.frames for run in tubelet.read(clip)])))
        for clip in clips
    ]
    for name in (GLOBAL, DETAIL):
        values = torch.cat([part[name].flatten(2) for part in parts], dim=2)
        # Few clips, of which some places were seen.
        assert 0.5 < float(values.std(dim=(0, 2)).median()) < 1.5
        assert float(values.mean(dim=(0, 2)).abs().median()) < 0.5


def test_a_flow_fills_in_what_the_global_part_lacks(fitted, video):
    latents = fitted.encode_parts(video)
    plain = decoded(fitted, latents, video, detail=0)
    refined = decoded(fitted.refined(2, seed=1), latents, video, detail=0)
    again = decoded(fitted.refined(2, seed=1), latents, video, detail=0)
    other = decoded(fitted.refined(2, seed=2), latents, video, detail=0)
    assert torch.equal(refined, again)
    assert not torch.equal(refined, plain) and not torch.equal(refined, other)


def test_the_checkpoint_is_whole(fitted, video, tmp_path):
    loaded = tubelet.load(fitted.save(tmp_path / "levels"))
    for name, part in fitted.encode_parts(video).items():
        assert torch.equal(loaded.encode_parts(video)[name], part)


def test_what_cannot_be_fitted_is_said(flow, clips):
    with pytest.raises(OptionError, match="klt-4x8x8 has none"):
        levels_config(tubelet.load("klt-4x8x8"))
    with pytest.raises(OptionError, match="is to see 65 channels"):
        fit_levels(
            LevelsConfig(name="levels", base=flow.config, seen=65), clips, Sampling(runs=1), start=flow
        )
    with pytest.raises(OptionError, match="a block has 1 to 128"):
        fit_levels(
            LevelsConfig(name="levels", base=flow.config, seen=SEEN, channels=129),
            clips,
            Sampling(runs=1),
            start=flow,
        )
