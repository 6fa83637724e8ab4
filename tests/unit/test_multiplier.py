"""What a tokenizer is worth: figures of latents are what they say, and the page claims no more than these."""

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from tubelet.generate.checkpoint import read_generator
from tubelet.generate.known_tokenizer import read_tokenizer
from tubelet.models.klt.config import KLTConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Stride

EXPERIMENTS = Path(__file__).parents[2] / "experiments"

pytestmark = pytest.mark.skipif(not EXPERIMENTS.is_dir(), reason="experiments are beside the sources alone")


@pytest.fixture
def script(monkeypatch):
    def read(name):
        monkeypatch.syspath_prepend(str(EXPERIMENTS))
        monkeypatch.delitem(sys.modules, name, raising=False)
        return import_module(name)

    return read


def point(share, iteration=100):
    answers = dict.fromkeys(("colour", "shape", "direction", "speed", "all"), share)
    kind = {
        "right": answers,
        "floor": dict.fromkeys(answers, 0.2),
        "ceiling": answers,
        "distances": {"made": {"flicker": 1.0, "parsed_frechet": None}},
    }
    return {
        "iteration": iteration,
        "training_seconds": 60.0,
        "settings": {"iterations": 100},
        "seen": kind,
        "held-out": kind,
    }


def figures(**arms):
    made = {
        name: {
            "latents": {"psnr_db": quality},
            "runs": {str(seed): [each] for seed, each in enumerate(points)},
        }
        for name, (quality, points) in arms.items()
    }
    return {"settings": {"iterations": 100, "name": "small"}, "arms": made}


def test_the_page_says_that_nothing_follows_where_runs_are_missing(script):
    page = script("multiplier_page").page
    for runs in ([], [point(0.5)], [point(0.5), point(0.5), point(0.9, iteration=50)]):
        text = page(figures(one=(30.0, runs), other=(40.0, [point(0.6)] * 3)))
        assert "No ranking of tokenizers follows" in text
        assert "Nothing about generators follows yet" in text


def test_the_page_says_whether_seeds_and_reconstruction_agree(script):
    page = script("multiplier_page").page
    better, worse = [point(0.6), point(0.7), point(0.8)], [point(0.5)] * 3
    text = page(figures(one=(40.0, better), other=(30.0, worse)))
    assert (
        "The best is the same with all seeds: `one`. The worst is the same with all seeds: `other`." in text
    )
    assert "of 1, 1 stands as in reconstruction, 0 the other way round." in text
    assert "by the prompts of other clips it is 20.0 %" in text
    assert "`one` 70.0 %, `other` 50.0 %" in text
    text = page(figures(one=(30.0, better), other=(40.0, worse)))
    assert "1 the other way round: `other` reconstructs better than `one` and generates worse." in text
    text = page(figures(one=(40.0, better), other=(30.0, [*worse[:2], point(0.9)])))
    assert "The seeds do not agree on the best: `one`, `other`." in text
    assert "of 1, 0 stand as in reconstruction, 0 the other way round." in text


def test_the_page_counts_no_pair_that_chance_may_have_ordered(script):
    page = script("multiplier_page").page
    for prompts, sure in ((24, 0), (2400, 1)):
        results = figures(one=(40.0, [point(0.52)] * 3), other=(30.0, [point(0.50)] * 3))
        for arm in results["arms"].values():
            for (each,) in arm["runs"].values():
                each["seen"]["prompts"] = prompts
        assert f"of 1, {sure} stand" in page(results)


def test_the_page_holds_the_results_of_several_recipes(script):
    page = script("multiplier_page").page
    short = figures(one=(40.0, [point(0.5)] * 3), other=(30.0, [point(0.4)] * 3))
    longer = figures(one=(40.0, [point(0.4), point(0.7)]), other=(30.0, []))
    text = page(short, longer | {"settings": {"iterations": 300, "name": "longer"}})
    assert text.count("### 100 iterations") == text.count("### After 100 iterations") == 1
    assert text.count("### 300 iterations") == text.count("### After 300 iterations") == 1
    assert "Nothing about generators follows yet" in text.partition("### After 300")[2]
    assert "one` 50.0 %, `other` 40.0 %" in text


def test_the_page_lists_seeds_that_are_finished_and_ranks_nothing_by_them(script):
    page = script("multiplier_page").page
    text = page(figures(one=(40.0, [point(0.4), point(0.7)]), other=(30.0, [point(0.5), point(0.6)])))
    assert "Nothing about generators follows yet" in text
    assert "- Seed 0: `other` 50.0 %, `one` 40.0 %\n- Seed 1: `one` 70.0 %, `other` 60.0 %" in text
    assert "The best is" not in text


def test_a_run_is_asked_to_stop_once_at_its_iteration_or_when_time_is_over(script, monkeypatch):
    multiplier = script("multiplier")
    for deadline, first in ((float("inf"), 3), (0.0, 1)):
        asked = []
        monkeypatch.setattr(multiplier.os, "kill", lambda *_, asked=asked: asked.append(number))  # noqa: B023
        look = multiplier._stop_at(3, deadline)
        for number in range(1, 6):
            look(0.5, number, None)
        assert asked == [first]


def test_a_point_that_a_run_has_passed_is_not_made_of_later_weights(script):
    passed = script("multiplier")._passed
    assert [passed(done, 50, (50, 100)) for done in (0, 50, 51, 53, 100)] == [False, False, False, True, True]
    assert not passed(101, 100, (50, 100))


def test_the_worse_decoder_and_first_channels_keep_the_latents(script, tmp_path):
    multiplier = script("multiplier")
    settings = multiplier.Settings(folder=tmp_path, recipe=multiplier.RECIPES["small"], scenes=2)
    video = torch.rand(1, 3, 5, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    made, frames = {}, {}
    for arm in (
        arm for arm in multiplier.ARMS if arm.name in ("klt-4x8x8@16", "tubelet-m16", "tubelet-m16-worse")
    ):
        tokenizer = read_tokenizer(multiplier.tokenizer_of(arm, settings)).tokenizer
        made[arm.name] = tokenizer.encode(video)
        frames[arm.name] = tokenizer.decode(made[arm.name], frames=5, height=16, width=16)
    assert torch.equal(made["tubelet-m16"], made["tubelet-m16-worse"])
    assert not torch.allclose(frames["tubelet-m16"], frames["tubelet-m16-worse"], atol=1e-2)
    whole = read_tokenizer("klt-4x8x8").tokenizer.encode(video)
    assert torch.allclose(made["klt-4x8x8@16"], whole[:, :16], atol=1e-5)


def test_the_arm_of_a_worse_decoder_decodes_what_the_other_arm_makes(script, tmp_path, monkeypatch):
    multiplier = script("multiplier")
    settings = multiplier.Settings(folder=tmp_path, recipe=multiplier.RECIPES["small"], scenes=2)
    arms = {arm.name: arm for arm in multiplier.ARMS}
    said = {"iteration": 300, "training_seconds": 9.0, "settings": {"iterations": 600}, "seen": "its own"}
    folder = settings.runs / "tubelet-m16-0"
    multiplier._store(folder / "point-000300.json", said)
    model = read_generator("tubelet-dit")
    monkeypatch.setattr(multiplier, "read_generator", {folder / "generator-000300": model}.__getitem__)
    monkeypatch.setattr(
        multiplier, "_evaluated", lambda model, _settings: {"seen": Path(model.tokenizer.name).name}
    )
    multiplier._run(arms["tubelet-m16-worse"], 0, settings, deadline=0.0)
    stored = multiplier._stored(settings.runs / "tubelet-m16-worse-0" / "point-000300.json")
    assert stored == said | {"seen": "tubelet-m16-worse"}
    assert not list((settings.runs / "tubelet-m16-worse-0").glob("checkpoint*"))


def test_recipes_are_evaluated_at_their_end_and_differ_by_tokenizer_alone(script):
    for recipe in script("multiplier").RECIPES.values():
        assert recipe.points[-1] == recipe.iterations
        one, other = recipe.latents("a", 1), recipe.latents("b", 1)
        assert replace(one, tokenizer="b") == other
        assert one.iterations == recipe.iterations


def test_high_frequencies_are_waves_shorter_than_four_positions(script):
    high_frequencies = script("latent_diagnostics").high_frequencies
    column = torch.arange(8)
    waves = {length: torch.cos(2 * torch.pi * column / length).expand(1, 1, 2, 8, 8) for length in (8, 4, 2)}
    shares = [high_frequencies(waves[length] + 3, torch.ones(1)) for length in (8, 4, 2)]
    assert shares == pytest.approx([0, 0, 1], abs=1e-6)
    both = torch.cat([waves[8], waves[2]], dim=1)
    assert high_frequencies(both, torch.tensor([1.0, 0.0])) == pytest.approx(0, abs=1e-6)


def test_a_latent_that_stays_or_moves_is_known_from_the_one_before(script):
    next_step = script("latent_diagnostics").next_step
    still = torch.randn(8, 2, 1, 8, 8, generator=torch.Generator().manual_seed(0)).expand(-1, -1, 5, -1, -1)
    found = next_step(still, torch.ones(2), steps=1)
    assert min(found.values()) > 0.999
    moving = torch.stack([still[:, :, 0].roll(step, dims=3) for step in range(5)], dim=2)
    found = next_step(moving, torch.ones(2), steps=1)
    assert found["next_step_copied"] < 0
    assert found["next_step_linear"] > 0.7
    noise = torch.randn(64, 1, 5, 8, 8, generator=torch.Generator().manual_seed(1))
    assert next_step(noise, torch.ones(1), steps=1)["next_step_linear"] < 0.05


def test_a_linear_tokenizer_makes_of_averaged_latents_the_average(script, tmp_path):
    config = KLTConfig(name="tiny", patches=(Stride(4, 8, 8),), coefficients=(768,), channels=64)
    known = read_tokenizer(str(ContinuousTokenizer.of(config).save(tmp_path / "tiny")))
    found = script("latent_diagnostics").diagnose(known, scenes=2)
    assert found["interpolated_db"] < found["faded_db"] + 3
    assert found["half_size_itself_db"] >= found["half_size_db"]
    assert set(found) >= {"psnr_db", "mirrored_db", "high_frequencies", "right_shape"}
