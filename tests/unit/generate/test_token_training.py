"""Runs of token generators: from scenes or tokens to a folder that is read, and the same when interrupted."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from tubelet.checkpoint import read_discrete
from tubelet.cli.main import main
from tubelet.codec.tokens.array import write_token_array
from tubelet.codec.tokens.clip import ClipFacts
from tubelet.errors import CheckpointError, OptionError, TrainingError
from tubelet.generate.captioned import CaptionedDigits, encode_digits
from tubelet.generate.captions import words_of
from tubelet.generate.checkpoint import read_generator, save_generator
from tubelet.generate.evaluation.losses import losses_of
from tubelet.generate.export import config_from_facts, export_generator, is_generator
from tubelet.generate.files import Request, generate_file, generate_frames
from tubelet.generate.kinds import KINDS
from tubelet.generate.known_tokenizer import encode_frames, read_tokenizer
from tubelet.generate.scenes import SceneClips, SceneData
from tubelet.generate.text import NO_PROMPT, RESERVED
from tubelet.generate.tokens.draws import all_wanted, digit_losses, draw_token_batch, some_hidden
from tubelet.generate.tokens.task import TokenTask, train_tokens
from tubelet.generate.tokens.train_config import TokenTrainConfig
from tubelet.generate.train_config import GeneratorStage
from tubelet.train.config import Optimizer
from tubelet.train.journal import read_log
from tubelet.train.loop import RunOptions
from tubelet.train.run_folder import read_run

SCENES = SceneData(clips=6, frames=9, height=32, width=32)
ORDERS = ("masked", "autoregressive")


@pytest.fixture(params=ORDERS)
def config(request, discrete_folder):
    return TokenTrainConfig(
        tokenizer=discrete_folder,
        order=request.param,
        width=32,
        blocks=1,
        heads=2,
        stages=(GeneratorStage(batch=4),),
        scenes=SCENES,
        iterations=6,
        continued=0.3,
        given=0.3,
        optimizer=Optimizer(lr=2e-3),
    )


def trained(config, folder, *, data=None, **further):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the generator reads [58] words")
        return train_tokens(config, data=data, options=RunOptions(folder=folder, **further))


def test_a_run_becomes_a_generator_that_makes_videos(config, tmp_path):
    state = trained(config, tmp_path / "run")
    assert is_generator(tmp_path / "run")
    folder = export_generator(tmp_path / "run", tmp_path / "mine")
    model = read_generator(folder)
    assert (model.name, model.tokenizer.name, model.network.kind) == ("mine", "tokens", config.order)
    assert model.network.config.bases == (6, 4)
    for name, weights in model.network.named_parameters():
        least = 0.02 * state.ema[name].abs().max()
        assert (weights - state.ema[name]).abs().max() <= least, name
    prompt = f"a {model.network.config.words[0]}"
    frames = np.concatenate(list(generate_frames(Request(prompt=prompt, frames=21), model=model)))
    assert frames.shape == (21, 32, 32, 3)
    for name in ("one", "two"):
        generate_file(Request(prompt=prompt, size=(20, 44)), tmp_path / f"{name}.mp4", model=model)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    assert "6 captioned clips: rendered scenes only" in (folder / "card.md").read_text()


def test_a_run_goes_on_as_an_unbroken_one(config, tmp_path, stop_after):
    whole = trained(config, tmp_path / "whole")
    assert trained(config, tmp_path / "broken", on_iteration=stop_after(3)).progress < 1
    state = trained(config, tmp_path / "broken", resume=True)
    for name, weight in state.network.state_dict().items():
        assert torch.equal(weight, whole.network.state_dict()[name]), name


def test_a_run_does_not_go_on_with_other_clips_and_keeps_its_own(config, tmp_path):
    trained(config, tmp_path / "run")
    before = (tmp_path / "run" / "digits.npy").read_bytes()
    with pytest.raises(OptionError, match=r"learns from other clips .* Resume with the same --data"):
        trained(replace(config, scenes=replace(SCENES, seed=9)), tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "digits.npy").read_bytes() == before


def test_a_run_starts_from_a_trained_generator_of_the_same_numbers(config, tmp_path):
    trained(config, tmp_path / "run")
    folder = export_generator(tmp_path / "run", tmp_path / "mine")
    further = replace(
        config, start=str(folder), iterations=1, optimizer=Optimizer(lr=1e-12, weight_decay=0.0)
    )
    state = trained(further, tmp_path / "further")
    for name, weights in read_generator(folder).network.named_parameters():
        assert torch.allclose(state.network.get_parameter(name), weights, atol=1e-6), name
    # Refused before clips are rendered, and nothing is left of it.
    with pytest.raises(OptionError, match="width is 32 there and 64 here"):
        trained(replace(further, width=64), tmp_path / "wider")
    assert not (tmp_path / "wider").exists()
    other = next(order for order in ORDERS if order != config.order)
    with pytest.raises(OptionError, match=f"kind {config.order}, and {other} is to be trained"):
        trained(replace(further, order=other), tmp_path / "other")


def test_a_run_goes_on_with_other_captions_and_clips_of_another_size(config, tmp_path):
    trained(config, tmp_path / "run")
    folder = export_generator(tmp_path / "run", tmp_path / "mine")
    started = read_generator(folder).network
    words = started.config.words
    other = replace(SCENES, frames=13, height=48, colours=("orange", *SCENES.colours), seed=5, clips=20)
    still = Optimizer(lr=1e-12, weight_decay=0.0)
    further = replace(config, start=str(folder), iterations=1, optimizer=still, slots=11, scenes=other)
    network = trained(further, tmp_path / "further").network
    assert "orange" in network.config.words
    assert set(network.config.words) & set(words)
    for name, weights in started.named_parameters():
        now = network.get_parameter(name)
        if name.endswith("words.weight"):
            assert torch.allclose(now[:RESERVED], weights[:RESERVED], atol=1e-6)
            for word in set(words) & set(network.config.words):
                row, before = (RESERVED + each.index(word) for each in (network.config.words, words))
                assert torch.allclose(now[row], weights[before], atol=1e-6), word
            new = now[RESERVED + network.config.words.index("orange")]
            assert (new - weights).abs().max(dim=1).values.min() > 1e-3
        elif name.endswith("slots"):
            assert torch.allclose(now[:8], weights, atol=1e-6)
            assert now[8:].any(dim=1).all()
        else:
            assert torch.allclose(now, weights, atol=1e-6), name
    fewer = trained(replace(further, slots=5, scenes=SCENES), tmp_path / "fewer").network
    (name,) = [name for name, _ in started.named_parameters() if name.endswith("slots")]
    assert torch.allclose(fewer.get_parameter(name), started.get_parameter(name)[:5], atol=1e-6)


def test_training_brings_the_loss_down(config, tmp_path):
    trained(replace(config, iterations=60, scenes=replace(SCENES, clips=2)), tmp_path / "run")
    losses = [line["digits"] for line in read_log(tmp_path / "run")]
    assert losses[0] == pytest.approx(math.log(24) / 2, rel=0.05)
    assert np.mean(losses[-15:]) < 0.85 * np.mean(losses[:15])


def test_digits_are_those_of_the_scenes(tmp_path, discrete_folder):
    found = encode_digits(discrete_folder, SceneClips(SCENES), tmp_path, on_clip=lambda *_: None)
    known = read_discrete(discrete_folder)
    scene = next(iter(SCENES.all_scenes()))
    video = torch.from_numpy(scene.frames()).float().div(127.5).sub(1)
    grid = known.tokenizer.tokenize(torch.einsum("thwc->cthw", video)[None])
    assert np.array_equal(found.values[0], grid.digits[0].numpy())
    assert found.bases == (6, 4)
    np.save(tmp_path / "digits.npy", found.values[:2])
    with pytest.raises(TrainingError, match=r"holds 2 digits for 6 captions; it is damaged"):
        encode_digits(discrete_folder, SceneClips(SCENES), tmp_path, on_clip=lambda *_: None)


def test_tokens_are_asked_of_a_discrete_tokenizer(config, tmp_path, tokenizer_folder):
    with pytest.raises(OptionError, match="tiny gives latents, and a generator of tokens learns"):
        trained(replace(config, tokenizer=tokenizer_folder), tmp_path / "run")


def test_files_of_tokens_with_captions_are_trained_on(config, tmp_path, discrete_folder):
    known = read_discrete(discrete_folder)
    (tmp_path / "tokens").mkdir()
    for number, caption in enumerate(("a red ball", None, "a blue ball")):
        video = torch.rand(1, 3, 9, 32, 32, generator=torch.Generator().manual_seed(number)) * 2 - 1
        facts = ClipFacts(
            source=f"{number}.mp4", tokenizer="tiny", tokenizer_sha256=known.sha256, caption=caption
        )
        path = tmp_path / "tokens" / f"{number}.npz"
        write_token_array(path, known.tokenizer.tokenize(video), facts, force=False)
    trained(config, tmp_path / "run", data=tmp_path / "tokens")
    model = read_generator(export_generator(tmp_path / "run", tmp_path / "mine"))
    assert model.network.config.words == ("blue", "circle", "red")


def test_a_configuration_comes_back_from_the_run(config, tmp_path):
    trained(config, tmp_path / "run")
    facts = read_run(tmp_path / "run" / "run.json")
    assert config_from_facts(facts["generator"], facts["config"]) == config


def test_pictures_show_clips_of_captions(config, tmp_path, discrete_folder):
    data = encode_digits(discrete_folder, SceneClips(SCENES), tmp_path, on_clip=lambda *_: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task = TokenTask(config, data, words_of(config, data.captions))
    (picture,) = task.pictures(task.start()).values()
    assert picture.shape == (3, 4 * 32, 3 * 32)


def test_a_generator_of_other_digits_than_its_tokenizer_has_is_refused(token_network, tmp_path):
    other = replace(token_network.config, bases=(4, 6))
    save_generator(type(token_network)(other), tmp_path / "mine", card="")
    with pytest.raises(CheckpointError, match=r"makes digits of \(4, 6\) values, and those of tokens have"):
        read_generator(tmp_path / "mine")


# What is drawn

CLIPS = 60


@pytest.fixture
def data(discrete_folder):
    random = np.random.default_rng(0)
    values = np.stack([random.integers(base, size=(CLIPS, 5, 4, 6)) for base in (6, 4)], axis=1)
    return CaptionedDigits(
        values=values.astype(np.uint8),
        captions=("red",) * CLIPS,
        fps=30.0,
        tokenizer=read_tokenizer(discrete_folder),
        bases=(6, 4),
        facts={},
    )


@pytest.fixture
def words():
    return torch.arange(2, 2 + CLIPS)[:, None].expand(-1, 3).contiguous()


@pytest.mark.parametrize(("sides", "patch", "cure"), [((8, 11), 2, 1), ((8, 12), 8, 4), ((8, 12), 4, None)])
def test_a_patch_that_does_not_divide_positions_is_refused_with_one_that_does(sides, patch, cure):
    config = TokenTrainConfig(patch=patch)
    if cure is None:
        config.check_patch(*sides)
        return
    with pytest.raises(OptionError, match=f"patch is {patch}, and clips have 8 rows .* Give --patch {cure},"):
        config.check_patch(*sides)


@pytest.mark.parametrize("hide", [some_hidden, all_wanted])
def test_what_is_drawn_does_not_depend_on_how_a_batch_is_shared(data, words, hide):
    config = TokenTrainConfig(continued=0.5, given=0.5)
    for step in range(4):
        whole = draw_token_batch(data, words, config, hide, step=step, indices=range(8))
        part = draw_token_batch(data, words, config, hide, step=step, indices=range(4, 8))
        assert whole.lead == part.lead
        for name in ("digits", "wanted", "words"):
            assert torch.equal(getattr(whole, name)[4:], getattr(part, name)), name


def test_every_clip_has_its_own_words_or_none(data, words):
    config = TokenTrainConfig(unprompted=0.3, continued=0.0)
    batch = draw_token_batch(data, words, config, all_wanted, step=0, indices=range(200))
    free = (batch.words == NO_PROMPT).all(dim=1)
    assert 0.2 < float(free.float().mean()) < 0.4
    for digits, said in zip(batch.digits[~free], batch.words[~free], strict=True):
        assert torch.equal(digits, torch.from_numpy(data.values[int(said[0]) - 2]).long())


def test_given_steps_are_never_wanted_and_all_others_are(data, words):
    for continued, steps, given in ((1.0, 4, {1, 2, 3}), (0.0, 5, {0, 1})):
        config = TokenTrainConfig(continued=continued, given=0.5)
        batch = draw_token_batch(data, words, config, all_wanted, step=0, indices=range(50))
        assert (batch.lead, batch.digits.shape[2]) == (continued == 0, steps)
        by_step = batch.wanted.all(dim=(1, 3, 4))
        assert torch.equal(by_step, batch.wanted.any(dim=1).any(dim=-1).any(dim=-1))
        assert {steps - int(row.sum()) for row in by_step} == given


def test_hidden_fractions_are_cosines_of_even_angles(data, words):
    config = TokenTrainConfig(continued=0.0, given=0.0)
    batch = draw_token_batch(data, words, config, some_hidden, step=0, indices=range(1000))
    fractions = batch.wanted.float().mean(dim=(1, 2, 3, 4)).double()
    assert float(fractions.min()) > 0
    assert float(fractions.mean()) == pytest.approx(2 / math.pi, abs=0.03)
    assert float((fractions > math.cos(math.pi / 4)).double().mean()) == pytest.approx(0.5, abs=0.06)


def test_the_loss_of_a_digit_is_minus_the_logarithm_of_its_probability():
    logits = torch.randn(2, 2, 1, 2, 3, 6, generator=torch.Generator().manual_seed(0))
    digits = torch.randint(6, (2, 2, 1, 2, 3), generator=torch.Generator().manual_seed(1))
    expected = -torch.take_along_dim(logits.log_softmax(dim=-1), digits[..., None], dim=-1)[..., 0]
    assert torch.allclose(digit_losses(logits, digits), expected, atol=1e-6)


# What is measured, and the commands


def test_bits_of_a_generator_that_knows_nothing_are_those_of_its_digits(token_model):
    """Tokens of 24 values, and 256 pixels for each but in the lead step."""
    fresh = replace(token_model, network=type(token_model.network)(token_model.network.config))
    frames = np.random.default_rng(0).integers(0, 256, (2, 9, 32, 48, 3), dtype=np.uint8)
    words = torch.tensor([[2, 3, 0, 0], [4, 0, 0, 0]])
    for each in losses_of(fresh, words, encode_frames(token_model.tokenizer, frames)):
        assert each["bits_per_token"] == pytest.approx(math.log2(24), rel=1e-5)
        assert each["bits_per_pixel"] == pytest.approx(math.log2(24) * 3 * 24 / (9 * 32 * 48), rel=1e-5)


def test_commands_know_all_kinds(token_network, tmp_path, capsys, monkeypatch):
    single = type(token_network)(token_network.config)
    single.load_state_dict({name: each.float() for name, each in token_network.state_dict().items()})
    save_generator(single, tmp_path / "tiny", card="")
    monkeypatch.chdir(tmp_path)
    command = ["generate", "a red circle moves left", "-o", "a.mp4", "--model", "tiny", "--frames", "5"]
    assert main([*command, "--temperature", "0.8", "--guidance", "1.5"]) == 0
    assert "guidance 1.5, temperature 0.8" in capsys.readouterr().out
    assert main([*command, "--method", "heun", "--force"]) == 2
    said = capsys.readouterr().err
    assert f"method is heun, and tiny (kind: {KINDS[token_network.kind].title}) has no method" in said
    code = main([*command, "--steps", "3", "--force"])
    assert code == (0 if token_network.kind == "masked" else 2)
