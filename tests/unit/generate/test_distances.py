"""What sets of made clips have: flicker, distances from true clips and from those of training."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tubelet.errors import OptionError
from tubelet.generate.captioned import encode_digits, encode_latents
from tubelet.generate.evaluation.distances import flicker_of, nearest_training_distances, parsed_distance
from tubelet.generate.evaluation.parse import ParsedThing
from tubelet.generate.known_tokenizer import decodable, encode_frames, read_tokenizer
from tubelet.generate.scenes import SceneClips, SceneData

SCENES = SceneData(clips=6, frames=9, height=32, width=48)


def rendered(data, count):
    return np.stack([scene.frames() for scene, _ in zip(data.all_scenes(), range(count), strict=False)])


def test_flicker_is_what_the_ground_changes_by_and_not_what_things_do():
    (scene,) = rendered(SCENES, 1)
    assert flicker_of(scene) < 0.05
    ground = np.full((8, 16, 16, 3), 100, np.uint8)
    ground[::2] += 4
    assert flicker_of(ground) == pytest.approx(4)
    ground[:, 4:8, 4:8] = np.where(np.arange(8)[:, None, None, None] % 2, 0, 255)
    assert flicker_of(ground) == pytest.approx(4)


def thing(speed=0.5, **further):
    known = {"colour": "red", "shape": "circle", "direction": "left", "fit": 0.9, "seen": 1.0} | further
    return ParsedThing(speed=speed, **known)


def test_equal_sets_are_not_apart_and_a_shift_counts_in_deviations():
    random = np.random.default_rng(0)
    speeds = random.normal(2, 0.5, 400)
    one = [[thing(float(speed))] for speed in speeds]
    assert parsed_distance(one, one) == pytest.approx(0, abs=1e-6)
    faster = [[thing(float(speed + speeds.std(ddof=1)))] for speed in speeds]
    assert parsed_distance(faster, one) == pytest.approx(1, rel=1e-3)
    assert parsed_distance([[thing(float(speed), direction="right")] for speed in speeds], one) > 10
    assert parsed_distance([[] for _ in speeds], one) > 10


@pytest.fixture
def trained(token_model, tmp_path, discrete_folder):
    """A generator of tokens, and the folder of a run of it."""
    encode_digits(discrete_folder, SceneClips(SCENES), tmp_path, on_clip=lambda *_: None)
    return token_model, tmp_path


def test_clips_of_training_are_at_no_distance_and_others_at_that_of_their_pixels(trained):
    model, run = trained
    known = decodable(model.tokenizer, encode_frames(model.tokenizer, rendered(SCENES, 6)))
    assert max(nearest_training_distances(model, run, known)) < 1e-3
    others = decodable(model.tokenizer, encode_frames(model.tokenizer, rendered(replace(SCENES, seed=9), 3)))
    found = nearest_training_distances(model, run, others)
    (units,) = model.tokenizer.tokenizer.backbone.model.pixel_units().values()
    moved = (others[:, None] - known[None]) * units[:2].reshape(2, 1, 1, 1)
    # 72 positions of 4 x 8 x 8 pixels of three colours, from -1 to 1 in 255 levels.
    levels = 127.5 * moved.square().sum(dim=(2, 3, 4, 5)).div(72 * 768).sqrt().amin(dim=1)
    assert torch.allclose(torch.tensor(found), levels, rtol=1e-4)
    assert max(found) > 0.1


def test_latents_of_a_diffusion_transformer_are_compared_too(model, tmp_path, tokenizer_folder):
    scenes = replace(SCENES, frames=17)
    encode_latents(tokenizer_folder, SceneClips(scenes), tmp_path, on_clip=lambda *_: None)
    known = encode_frames(model.tokenizer, rendered(scenes, 2))
    assert max(nearest_training_distances(model, tmp_path, known)) < 0.1


def test_another_run_is_refused(trained, tmp_path, tokenizer_folder):
    model, run = trained
    small = torch.zeros(1, 2, 3, 2, 2)
    with pytest.raises(OptionError, match="have 3x4x6 positions, and the generator makes 3x2x2"):
        nearest_training_distances(model, run, small)
    with pytest.raises(OptionError, match="holds no digits by tokens; give the folder"):
        nearest_training_distances(model, tmp_path / "nothing", small)
    other = replace(model, tokenizer=read_tokenizer(tokenizer_folder))
    with pytest.raises(OptionError, match="holds no digits by tiny"):
        nearest_training_distances(other, run, small)
