"""Measures of sets of clips: features that a part keeps, and the distance that a summary makes of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from einops import reduce

from tubelet.errors import CheckpointError, OptionError
from tubelet.evaluate.measures import RUN, describe
from tubelet.evaluate.sets import ClipFeatures, FeatureRuns, compare_sets, from_part
from tubelet.evaluate.summary import summarise
from tubelet.evaluate.weights import Weights, networks
from tubelet.metrics.frechet import FrechetVideoDistance
from tubelet.video.pixels import to_model


def colours(video: torch.Tensor) -> torch.Tensor:
    """Six numbers of a clip: the mean colours of its first and last frame."""
    return reduce(video[:, :, [0, -1]], "b c t h w -> b (c t)", "mean")


def noise(frames: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, 4, 5, 3), dtype=np.uint8)


def features(reference: np.ndarray, frames: np.ndarray) -> dict[str, ClipFeatures]:
    runs = FeatureRuns({"rfvd_i3d": colours})
    runs.update(reference, frames)
    return from_part(json.loads(json.dumps(runs.to_part())))


def drawn(count: int, *, shift: float = 0) -> dict[str, ClipFeatures]:
    """Features of clips that are near those of their reconstructions."""
    random = np.random.default_rng(0)
    found = {}
    for number in range(count):
        rows = random.normal(size=(1, 40)).astype(np.float32)
        away = random.normal(shift, 0.3, size=(1, 40)).astype(np.float32)
        found[f"{number:02}"] = ClipFeatures(rows, rows + away)
    return found


def test_a_distance_is_that_of_all_whole_runs_of_all_clips():
    clips = {name: (noise(frames, 1), noise(frames, 2)) for name, frames in (("a", 35), ("b", 16), ("c", 47))}
    metric = FrechetVideoDistance(colours)
    for reference, frames in clips.values():
        for begin in range(0, len(frames) - 15, 16):
            metric.update(*(to_model(each[begin : begin + 16]) for each in (reference, frames)))
    found = {name: features(*both)["rfvd_i3d"] for name, both in clips.items()}
    figure = compare_sets({"rfvd_i3d": found}, list(found)).figures["rfvd_i3d"]
    # Sums of several rows at once are rounded otherwise than those of one after the other.
    assert figure.pop("mean") == pytest.approx(metric.compute(), rel=1e-9)
    assert figure == {"low": None, "high": None, "clips": 3, "runs": 5}


def test_windows_are_cut_into_runs_each_by_itself():
    runs = FeatureRuns({"rfvd_i3d": colours})
    for seed in range(3):
        runs.update(noise(17, seed), noise(17, seed))
    assert [len(rows) for rows in runs.to_part()["rfvd_i3d"].values()] == [3, 3]
    assert not runs.absent()


def test_what_is_known_of_a_clip_is_not_computed_again():
    reference, frames = noise(35, 0), noise(35, 1)
    looked = []

    def counted(video: torch.Tensor) -> torch.Tensor:
        looked.append(video)
        return colours(video)

    first = FeatureRuns({"rfvd_i3d": counted})
    first.update(reference, frames)
    known = first.to_part()["rfvd_i3d"]["reference"]
    again = FeatureRuns({"rfvd_i3d": counted}, known={"rfvd_i3d": known})
    again.update(reference, frames)
    assert again.to_part() == first.to_part()
    assert len(looked) == 4 + 2


def test_a_clip_without_a_whole_run_is_absent():
    runs = FeatureRuns({"rfvd_videomae": colours})
    runs.update(noise(RUN - 1, 0), noise(RUN - 1, 0))
    assert runs.absent() == {"rfvd_videomae": "there is no run of 16 frames among 15."}
    assert not from_part(runs.to_part())


def test_perfect_reconstructions_have_no_distance_and_worse_ones_more():
    same = {name: ClipFeatures(each.reference, each.reference) for name, each in drawn(6).items()}
    figures = [
        compare_sets({"rfvd_i3d": each}, list(each)).figures["rfvd_i3d"]["mean"]
        for each in (same, drawn(6), drawn(6, shift=1))
    ]
    assert figures[0] == pytest.approx(0, abs=1e-9)
    assert figures == sorted(figures)
    assert figures[1] > 1


def test_fewer_than_two_clips_have_no_distance_however_many_runs_they_have():
    single = features(noise(64, 0), noise(64, 1))["rfvd_i3d"]
    found = compare_sets({"rfvd_i3d": {"a": single}}, ["a", "b"])
    assert not found.figures
    assert found.absent["rfvd_i3d"].startswith("1 clip with a run of 16 frames; ")


def test_features_that_are_no_numbers_have_no_distance():
    broken = drawn(3) | {"x": ClipFeatures(*(np.full((1, 40), np.inf, np.float32) for _ in range(2)))}
    assert "NaN or infinity" in compare_sets({"rfvd_i3d": broken}, list(broken)).absent["rfvd_i3d"]


def test_clips_that_are_drawn_again_are_further_apart_so_there_is_no_interval():
    clips = drawn(30)
    whole = compare_sets({"rfvd_i3d": clips}, list(clips)).figures["rfvd_i3d"]["mean"]
    for seed in range(20):
        again = [f"{number:02}" for number in np.random.default_rng(seed).integers(0, 30, 30)]
        assert compare_sets({"rfvd_i3d": clips}, again).figures["rfvd_i3d"]["mean"] > whole


def test_a_summary_has_the_distance_of_all_clips_and_of_those_with_a_tag():
    found = drawn(4)
    clips = {
        name: {
            "figures": {"psnr_db": 30.0},
            "squared_error": [9, 9],
            "rate": {},
            "pixels": 1,
            "seconds_encode": 1.0,
            "seconds_decode": 1.0,
        }
        for name in found
    }
    tags = {name: {"motion": "low" if name == "03" else "high"} for name in found}
    summary = summarise(clips, tags, seed=0, features={"rfvd_i3d": found})
    group = summary["all"]["temporal_consistency"]
    assert group == compare_sets({"rfvd_i3d": found}, list(found)).figures
    by_motion = summary["by_tag"]["motion"]
    assert by_motion["high"]["temporal_consistency"]["rfvd_i3d"]["clips"] == 3
    assert "temporal_consistency" not in by_motion["low"]
    assert summary["absent"] == {}
    assert list(summarise(clips, {}, seed=0, features={"rfvd_i3d": {}})["absent"]) == ["rfvd_i3d"]


def test_what_they_say_names_the_network_the_frames_and_the_size():
    for name, facts in describe(["rfvd_i3d", "rfvd_videomae"]).items():
        assert (facts["group"], facts["better"]) == ("temporal_consistency", "less")
        for text in ("I3D" if name == "rfvd_i3d" else "VideoMAE", "16 frames", "224x224", "2048"):
            assert text in facts["says"]


@pytest.mark.parametrize(
    ("name", "text"), [("lpips", "LPIPS"), ("dists", "DISTS"), ("i3d", "I3D"), ("videomae", "VideoMAE")]
)
def test_every_network_reads_its_own_file(name, text):
    with pytest.raises(CheckpointError, match=f"is not a file; {text}"):
        networks((Weights(network=name, path=Path("absent.safetensors"), sha256=""),), "cpu")
    with pytest.raises(OptionError, match="there are lpips, dists, i3d, videomae"):
        Weights(network="vgg", path=Path("absent.safetensors"), sha256="")
