"""Structure and dynamics: what each may depend on, and where training starts."""

import numpy as np
import pytest
import torch
from einops import repeat

import tubelet
from tubelet.data.scenes import SceneOptions, scene_at
from tubelet.errors import CheckpointError, OptionError
from tubelet.models.twin import start
from tubelet.models.twin.config import TwinConfig
from tubelet.models.twin.factors import SIDE, WindowFactors
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.video.pixels import to_model

SMALL = {"structure": 6, "dynamics": 3, "features": 12}
NETWORKS = {"width": 8, "structure_blocks": 1, "dynamics_blocks": 1, "decoder_blocks": 1}
LINEAR = {"structure_blocks": 0, "dynamics_blocks": 0, "decoder_blocks": 0}


class Scenes:
    """Rendered clips as crops."""

    frames, side = 20, 72

    def __len__(self):
        return 12

    def __init__(self):
        options = SceneOptions(height=self.side, width=self.side, frames=self.frames)
        self._clips = [scene_at(index, options=options).frames() for index in range(len(self))]

    def __getitem__(self, index):
        return self._clips[index]


@pytest.fixture(scope="module")
def started():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(start, "CHUNKS", 64)
        config = TwinConfig(name="twin", **SMALL, **NETWORKS)
        model = config.start(Scenes(), seed=0)
    return ContinuousTokenizer(model, config=config).eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def trained(started):
    """One whose networks change everything."""
    tokenizer = ContinuousTokenizer.of(started.config).eval().requires_grad_(requires_grad=False)
    tokenizer.load_weights({name: weights.clone() for name, weights in started.weights().items()})
    generator = torch.Generator().manual_seed(5)
    for network in tokenizer.model.networks():
        for weights in network.parameters():
            weights.add_(0.2 * torch.randn(weights.shape, generator=generator))
    return tokenizer


@pytest.fixture(scope="module")
def video():
    options = SceneOptions(height=70, width=100, frames=33)
    return to_model(scene_at(3, seed=1, options=options).frames())


def squared_error(found, expected):
    return float((found - expected).square().mean())


def decoded(tokenizer, latents, video, **known):
    frames, height, width = video.shape[2:]
    return tokenizer.decode_parts(latents, frames=frames, height=height, width=width, known=known)


def none_of(*names):
    return {name: torch.zeros(1, 1, 1, 1, 1, dtype=torch.long) for name in names}


def test_parts_lie_where_their_strides_say(trained, video):
    shapes = {name: tuple(part.shape[1:]) for name, part in trained.encode_parts(video).items()}
    # A lead frame and two chunks; 2 x 2 windows.
    assert shapes == {"structure": (6, 3, 8, 8), "rows": (3, 9, 16, 2), "columns": (3, 9, 2, 16)}


def test_the_structure_of_a_chunk_does_not_depend_on_the_order_of_its_frames(trained, video):
    tokenizer = ContinuousTokenizer(trained.model, lead_frame=False)
    chunk = video[:, :, :16]
    shuffled = chunk[:, :, torch.randperm(16, generator=torch.Generator().manual_seed(0))]
    first, second = (tokenizer.encode_parts(each) for each in (chunk, shuffled))
    assert torch.allclose(first["structure"], second["structure"], atol=2e-5)
    assert not torch.allclose(first["rows"], second["rows"], atol=1e-2)


def test_the_structure_of_a_chunk_depends_on_every_frame_through_its_network(trained, video):
    tokenizer = ContinuousTokenizer(trained.model, lead_frame=False)
    chunk = video[:, :, :16]
    # The mean frame stays: only the network of single frames can tell.
    other = chunk.clone()
    other[:, :, 3] += 0.3
    other[:, :, 9] -= 0.3
    first, second = (tokenizer.encode_parts(each)["structure"] for each in (chunk, other))
    assert float((first - second).abs().max()) > 1e-3


def test_a_still_clip_has_constant_dynamics(trained, video):
    latents = trained.encode_parts(repeat(video[:, :, 5], "b c H W -> b c T H W", T=33))
    for name in ("rows", "columns"):
        assert torch.allclose(latents[name], latents[name][:, :, :1], atol=2e-5)


def test_dynamics_of_a_step_see_the_other_steps_through_the_structure_only(trained, video):
    tokenizer = ContinuousTokenizer(trained.model, lead_frame=False)
    chunk = video[:, :, :16]
    # The order of the frames of later steps is in no structure, so the first step must not know it.
    other = torch.cat([chunk[:, :, :4], chunk[:, :, 4:].flip(2)], dim=2)
    first, second = (tokenizer.encode_parts(each) for each in (chunk, other))
    for name in ("rows", "columns"):
        assert torch.allclose(first[name][:, :, 0], second[name][:, :, 0], atol=2e-5)
        assert not torch.allclose(first[name][:, :, 1], second[name][:, :, 1], atol=1e-2)


def test_without_dynamics_a_linear_model_shows_the_chunk_stand_still(started, video):
    shown = decoded(started, started.encode_parts(video), video, **none_of("rows", "columns"))
    assert torch.equal(shown[:, :, 1:17], shown[:, :, 1:2].expand(-1, -1, 16, -1, -1))
    mean = video[:, :, 1:17].mean(dim=2, keepdim=True)
    assert squared_error(shown[:, :, 1:2], mean) < 0.3 * squared_error(
        mean.mean(dim=(3, 4), keepdim=True), mean
    )


def test_networks_of_an_untrained_model_change_nothing(started, video):
    linear = ContinuousTokenizer.of(TwinConfig(name="linear", **SMALL, **LINEAR)).eval()
    own = linear.model.state_dict()
    linear.load_weights({name: each for name, each in started.weights().items() if name in own})
    with torch.no_grad():
        latents, expected = started.encode_parts(video), linear.encode_parts(video)
        for name, part in expected.items():
            assert torch.equal(latents[name], part)
        assert torch.equal(decoded(started, latents, video), decoded(linear, expected, video))


def test_the_start_uses_every_part(started, video):
    latents = started.encode_parts(video)
    whole = squared_error(decoded(started, latents, video), video)
    for name in ("rows", "columns"):
        assert squared_error(decoded(started, latents, video, **none_of(name)), video) > 1.1 * whole
    everything = squared_error(
        decoded(started, latents, video, **none_of("structure", "rows", "columns")), video
    )
    structure = squared_error(decoded(started, latents, video, **none_of("rows", "columns")), video)
    assert whole < 0.7 * structure < 0.2 * everything


def test_profiles_are_the_best_for_what_the_other_profiles_leave(started):
    fields = [start._left_by_still(started.model, to_model(Scenes()[i][:16, :64, :64])) for i in range(12)]
    field = torch.cat([started.model.patches(each) for each in fields])
    factors = started.model.factors

    def left(profiles):
        strips = start.row_strips(field - factors.field_of_columns(factors.codes(field)[1]))
        return float((strips - strips @ profiles.T @ profiles).square().sum())

    generator = torch.Generator().manual_seed(2)
    for _ in range(5):
        turned = factors.rows + 0.5 * torch.randn(factors.rows.shape, generator=generator) / 10
        assert left(factors.rows) < left(torch.linalg.qr(turned.T)[0].T)


def test_rows_and_columns_are_sums_over_windows():
    factors = WindowFactors(features=2, channels=3).requires_grad_(requires_grad=False)
    generator = torch.Generator().manual_seed(1)
    for profiles in (factors.rows, factors.columns):
        profiles.copy_(torch.linalg.qr(torch.randn(profiles.shape, generator=generator).T)[0].T)
    rows, columns = (
        torch.randn(1, 3, 1, 16, 2, generator=generator),
        torch.randn(1, 3, 1, 2, 16, generator=generator),
    )
    field = factors.field_of_rows(rows) + factors.field_of_columns(columns)
    for y, x, k in np.ndindex(16, 16, 2):
        of_row = rows[0, :, 0, y, x // SIDE] @ factors.rows[:, x % SIDE * 2 + k]
        of_column = columns[0, :, 0, y // SIDE, x] @ factors.columns[:, y % SIDE * 2 + k]
        assert torch.isclose(field[0, k, 0, y, x], of_row + of_column, atol=1e-5)
    assert torch.allclose(factors.codes_of_rows(factors.field_of_rows(rows)), rows, atol=1e-5)
    assert torch.allclose(factors.codes_of_columns(factors.field_of_columns(columns)), columns, atol=1e-5)


def test_standardising_changes_the_latent_and_not_the_video(trained, video):
    tokenizer = ContinuousTokenizer.of(trained.config).eval().requires_grad_(requires_grad=False)
    tokenizer.load_weights({name: weights.clone() for name, weights in trained.weights().items()})
    before = tokenizer.encode_parts(video)
    expected = decoded(tokenizer, before, video)
    axes = (0, 2, 3, 4)
    tokenizer.model.standardise({name: (x.mean(axes), x.std(axes) + 1e-3) for name, x in before.items()})
    after = tokenizer.encode_parts(video)
    for part in after.values():
        assert float(part.mean(axes).abs().max()) < 1e-3
    assert torch.allclose(decoded(tokenizer, after, video), expected, atol=2e-5)


def test_a_checkpoint_gives_the_same_tokenizer(trained, video, tmp_path):
    again = tubelet.load(trained.save(tmp_path / "twin"))
    assert again.config.structure == 6
    latents, expected = again.encode_parts(video), trained.encode_parts(video)
    for name, part in expected.items():
        assert torch.equal(latents[name], part)
    assert torch.equal(decoded(again, latents, video), decoded(trained, expected, video))


def test_a_checkpoint_whose_statistics_cannot_be_is_refused(trained, tmp_path):
    tokenizer = ContinuousTokenizer.of(trained.config)
    tokenizer.load_weights({name: weights.clone() for name, weights in trained.weights().items()})
    tokenizer.model.codes_of("rows").deviation[1] = 0
    with pytest.raises(CheckpointError, match="above zero"):
        tubelet.load(tokenizer.save(tmp_path / "twin"))


def test_half_of_the_networks_is_no_model():
    with pytest.raises(OptionError, match="give each network"):
        TwinConfig(name="half", decoder_blocks=0).build()


def test_crops_smaller_than_a_window_are_refused():
    crops = Scenes()
    crops.side = 40
    with pytest.raises(OptionError, match="64x64"):
        TwinConfig(name="small", **SMALL, **NETWORKS).start(crops, seed=0)


def test_the_usual_model_is_small_and_cheap():
    tokenizer = ContinuousTokenizer.of(TwinConfig(name="twin"))
    weights = sum(weights.numel() for weights in tokenizer.parameters())
    networks = sum(weights.numel() for each in tokenizer.model.networks() for weights in each.parameters())
    assert 2 * networks + 4 * (weights - networks) < 8e6
    assert tokenizer.flops_per_pixel() < 0.06e6
