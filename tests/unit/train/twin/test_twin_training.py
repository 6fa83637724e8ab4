"""Training of structure and dynamics: pairs whose true swap is known, and runs that become tokenizers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import tubelet
from tubelet.data.crops import open_crops
from tubelet.data.prepare import PrepareConfig, prepare_crops
from tubelet.data.scenes import SceneOptions, scene_at
from tubelet.errors import OptionError
from tubelet.models.twin import start
from tubelet.models.twin.config import TwinConfig
from tubelet.recipes.twin import twin
from tubelet.train.config import Optimizer
from tubelet.train.journal import read_log
from tubelet.train.loop import RunOptions
from tubelet.train.task import Place
from tubelet.train.tokenizer import ready
from tubelet.train.twin.config import TwinStage, TwinTrainConfig
from tubelet.train.twin.export import export_twin, is_twin
from tubelet.train.twin.network import TwinNetwork, draw_known
from tubelet.train.twin.pairs import draw_pairs, draw_scenes, exchanged, is_rendered
from tubelet.train.twin.task import TwinTask, train_twin

MODEL = TwinConfig(
    name="tiny",
    structure=4,
    dynamics=2,
    features=6,
    width=6,
    structure_blocks=1,
    dynamics_blocks=1,
    decoder_blocks=1,
)
STAGE = TwinStage(batch=2, frames=17, side=64)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for index in range(4):
        clip = scene_at(index, options=SceneOptions(frames=17, height=72, width=72)).frames()
        np.save(folder / f"{index}.npy", clip)
    prepared = tmp_path_factory.mktemp("crops") / "data"
    prepare_crops(sorted(folder.iterdir()), prepared, PrepareConfig(crop=64, frames=17, per_clip=4))
    return prepared


@pytest.fixture(scope="module")
def crops(data):
    return open_crops(data)


@pytest.fixture(autouse=True)
def few_windows(monkeypatch):
    monkeypatch.setattr(start, "CHUNKS", 64)
    monkeypatch.setattr("tubelet.train.twin.task._SAID_EVERY", 96)
    monkeypatch.setattr(ready, "MEASURED", 16)


def config(**changes):
    numbers = {"iterations": 4, "bfloat16": False, "optimizer": Optimizer(lr=1e-3), "lead": 0.5}
    return TwinTrainConfig(model=MODEL, stages=(STAGE,), **(numbers | changes))


@pytest.fixture(scope="module")
def network():
    network = TwinNetwork(MODEL.build(), MODEL)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(0.1 * torch.randn(weights.shape, generator=generator))
    return network.requires_grad_(requires_grad=False)


def test_the_exchange_keeps_things_and_ground_and_takes_motion_and_camera():
    first, second = draw_scenes(STAGE, seed=0, step=0, index=1)
    moved = exchanged(first, second)
    assert moved.things[0].appearance == first.things[0].appearance
    assert moved.ground == first.ground
    assert (moved.things[0].motion, moved.camera) == (second.things[0].motion, second.camera)
    assert np.array_equal(exchanged(first, first).frames(), first.frames())


def test_rendered_pairs_come_last_with_their_swaps_and_nothing_held_out(crops):
    pairs = draw_pairs(crops, config(), STAGE, step=3, indices=range(2))
    assert [is_rendered(index, 0.5) for index in range(4)] == [False, True, False, True]
    assert pairs.clips.shape == (4, 17, 64, 64, 3)
    first, second = draw_scenes(STAGE, seed=0, step=3, index=1)
    assert not first.held_out and not second.held_out
    assert np.array_equal(pairs.clips[2], first.frames())
    assert np.array_equal(pairs.swapped[1], exchanged(second, first).frames())


def test_every_share_of_a_batch_is_that_of_the_whole(crops):
    whole = draw_pairs(crops, config(), STAGE, step=1, indices=range(2))
    windows = draw_pairs(crops, config(), STAGE, step=1, indices=range(1))
    scenes = draw_pairs(crops, config(), STAGE, step=1, indices=range(1, 2))
    assert np.array_equal(np.concatenate([windows.clips, scenes.clips]), whole.clips)
    assert np.array_equal(scenes.swapped, whole.swapped)
    assert torch.equal(scenes.labels, whole.labels)
    assert len(windows.swapped) == len(windows.labels) == 0


def test_the_feed_goes_on_where_a_run_stopped(crops, tmp_path):
    task = TwinTask(config(), crops, data=tmp_path)
    with task.batches(STAGE, first=1, indices=range(2)) as feed:
        batch = next(feed)
    expected = draw_pairs(crops, config(), STAGE, step=1, indices=range(2))
    assert np.array_equal(batch.clips, expected.clips)


def test_dynamics_of_a_step_are_dropped_together_as_often_as_is_said():
    parts = MODEL.build().parts
    known = draw_known(config(dropped=0.3, prefixes=0.0), parts, 50, step=0, indices=range(10))
    assert torch.equal(known["rows"], known["columns"])
    assert known["rows"].shape == (20, 1, 200, 1, 1)
    assert set(known["rows"].unique().tolist()) == {0, 2}
    assert abs(float((known["rows"] == 0).float().mean()) - 0.3) < 0.03
    assert set(known["structure"].unique().tolist()) == {4}


def test_what_is_decoded_together_is_what_each_way_gives_alone(network):
    clips = torch.rand(4, 3, 17, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    tokenizer = network.tokenizer
    size = {"frames": 17, "height": 64, "width": 64}
    known = draw_known(config(dropped=0.4), network.model.parts, 2, step=0, indices=range(2))
    # The lead chunk has one step of dynamics, which is repeated.
    for name in ("rows", "columns"):
        known[name][:, :, 1:4] = known[name][:, :, :1]
    shown = network(clips, clips[2:], known, torch.tensor([[0, 0], [1, 1]]), lead_frame=True)
    latents = tokenizer.encode_parts(clips)
    first = {
        name: counts[:, :, [0, *range(4, counts.shape[2])]]
        for name, counts in known.items()
        if name != "structure"
    }
    first["structure"] = known["structure"]
    wide = {name: counts.expand(-1, -1, -1, *latents[name].shape[3:]) for name, counts in first.items()}
    assert torch.allclose(shown.back, tokenizer.decode_parts(latents, known=wide, **size), atol=1e-4)
    none = {name: torch.zeros(2, 1, 1, 1, 1, dtype=torch.long) for name in ("rows", "columns")}
    one = {name: latent[[0, 2]] for name, latent in latents.items()}
    assert torch.allclose(shown.still, tokenizer.decode_parts(one, known=none, **size), atol=1e-4)
    assert torch.allclose(
        shown.swapped[:1], tubelet.swap(clips[2:3], clips[3:], tokenizer=tokenizer), atol=1e-4
    )
    assert torch.allclose(
        shown.swapped[1:], tubelet.swap(clips[3:], clips[2:3], tokenizer=tokenizer), atol=1e-4
    )
    assert torch.allclose(shown.mean[1, :, 1], clips[2, :, 1:].mean(dim=1), atol=1e-5)


@pytest.mark.parametrize("scenes", [0.0, 0.5, 1.0])
def test_every_loss_that_counts_moves_every_network(network, crops, scenes, tmp_path):
    task = TwinTask(config(scenes=scenes), crops, data=tmp_path)
    trained = task.build()
    trained.load_state_dict(network.state_dict())
    task.set_trainable(trained, STAGE)
    batch = draw_pairs(crops, task.config, STAGE, step=0, indices=range(2))
    terms = task.outcome(
        trained, trained, batch, Place(iteration=0, indices=range(2), progress=0.0), None
    ).terms
    assert ("swap_log_mse" in terms) == (scenes > 0)
    assert terms["structure_log_mse"].weight == pytest.approx(0.25 * terms["log_mse"].weight)
    sum(term.weight * term.value for term in terms.values()).backward()
    for name, weights in trained.named_parameters():
        moved = weights.grad is not None and bool(weights.grad.abs().sum() > 0)
        if name.startswith("naming"):
            assert moved == (scenes > 0), name
            continue
        linear = name.split(".")[2] in {"still", "patches", "factors"}
        assert moved != linear or ".fill" in name, name


def test_a_run_becomes_a_tokenizer(data, tmp_path):
    said = []
    train_twin(config(), data=data, options=RunOptions(folder=tmp_path / "run", on_message=said.append))
    windows = [line for line in said if "windows for the start" in line]
    assert windows == [f"{done} of 192 windows for the start are looked at." for done in (96, 192)]
    assert is_twin(tmp_path / "run")
    log = [line for line in read_log(tmp_path / "run") if "total" in line]
    assert all(np.isfinite(line["total"]) for line in log)
    tokenizer = tubelet.load(export_twin(tmp_path / "run", tmp_path / "mine"))
    assert tokenizer.config == replace(MODEL, name="mine")
    assert "Structure and dynamics" in (tmp_path / "mine" / "card.md").read_text(encoding="utf-8")
    clip = torch.rand(1, 3, 5, 20, 30) * 2 - 1
    assert torch.equal(tubelet.swap(clip, clip, tokenizer=tokenizer), tokenizer(clip))
    again = TwinTask(config(start=str(tmp_path / "mine")), open_crops(data), data=tmp_path).start()
    assert torch.equal(again.tokenizer(clip), tokenizer(clip))
    with pytest.raises(OptionError, match="give another tokenizer"):
        TwinTask(config(start="klt-4x8x8"), open_crops(data), data=tmp_path).start()


def test_training_makes_the_losses_smaller(data, tmp_path):
    longer = config(
        iterations=20, optimizer=Optimizer(lr=3e-3, ema=0.9), lead=0.0, dropped=0.0, prefixes=0.0, untold=0.0
    )
    train_twin(longer, data=data, options=RunOptions(folder=tmp_path / "run"))
    totals = [line["total"] for line in read_log(tmp_path / "run") if "total" in line]
    assert np.mean(totals[-6:]) < np.mean(totals[:6])


def test_numbers_of_a_run_that_make_no_sense_are_refused(crops, tmp_path):
    with pytest.raises(OptionError, match="fraction"):
        config(dropped=1.5)
    with pytest.raises(OptionError, match="rise to 1"):
        TwinTrainConfig(model=MODEL, stages=(TwinStage(until=0.5),))
    with pytest.raises(OptionError, match="window lies inside a crop"):
        TwinTask(TwinTrainConfig(model=MODEL), crops, data=tmp_path)


def test_the_recipe_is_of_the_usual_model():
    assert twin().model.name == "tubelet-twin"
    assert (twin().structure, twin().swap, twin().dropped) == (0.25, 0.25, 0.1)
