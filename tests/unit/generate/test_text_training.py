"""Generators whose prompts a text encoder reads: captions are encoded once, padding is not seen."""

import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from text_encoders import save_text_encoder

from tubelet.cli.main import main
from tubelet.errors import CheckpointError, OptionError, TubeletWarning
from tubelet.generate.autoregressive.network import AutoregressiveTransformer
from tubelet.generate.captions import facts_from_json, facts_to_json
from tubelet.generate.checkpoint import fingerprint, read_generator
from tubelet.generate.config import PromptFacts
from tubelet.generate.dit.network import DiT
from tubelet.generate.dit.sampler import FlowSampling
from tubelet.generate.dit.task import train_dit
from tubelet.generate.dit.train_config import DiTTrainConfig
from tubelet.generate.export import export_generator
from tubelet.generate.files import Request, generate_frames
from tubelet.generate.kinds import KINDS, sample
from tubelet.generate.masked.network import MaskedTransformer
from tubelet.generate.prompts import EncodedText, prompts_of_clips
from tubelet.generate.scenes import SceneData
from tubelet.generate.text_cache import encode_captions
from tubelet.generate.text_encoder import read_text_encoder
from tubelet.generate.tokens.task import train_tokens
from tubelet.generate.tokens.train_config import TokenTrainConfig
from tubelet.generate.train_config import GeneratorStage
from tubelet.train.config import Optimizer
from tubelet.train.loop import RunOptions
from tubelet.train.run_folder import read_run

CAPTIONS = ("a red circle", "blue square moves up", "a red circle", "red")


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory):
    return save_text_encoder("t5", tmp_path_factory.mktemp("encoders") / "t5")


@pytest.fixture(scope="module")
def encoder(encoder_folder):
    return read_text_encoder(encoder_folder)


def cached(encoder, folder, captions=CAPTIONS, tokens=None):
    said = []
    stored = encode_captions(
        encoder, captions, folder, tokens=tokens, on_caption=lambda done, of: said.append((done, of))
    )
    return stored, said


def test_every_caption_is_encoded_once_and_comes_back_as_it_was(encoder, tmp_path):
    stored, said = cached(encoder, tmp_path)
    assert said == [(3, 3)]
    assert stored.slots == 5
    prompts = prompts_of_clips(stored, [2, None, 1])
    alone = encoder.encode([CAPTIONS[2], CAPTIONS[1]], slots=5)
    assert torch.allclose(prompts.states[[0, 2]], alone.states, atol=2e-3, rtol=2e-3)
    assert torch.equal(prompts.seen[[0, 2]], alone.seen)
    assert not prompts.seen[1].any()
    assert not prompts.states[1].any()
    assert cached(encoder, tmp_path)[1] == []


def test_captions_that_come_later_are_added(encoder, tmp_path):
    first, _ = cached(encoder, tmp_path)
    with (tmp_path / "text.states").open("ab") as file:
        file.write(b"left by a session that was killed")
    more, said = cached(encoder, tmp_path, (*CAPTIONS, "black circle"))
    assert said == [(1, 1)]
    assert torch.equal(more.prompts([0, 1, 3]).states, first.prompts([0, 1, 3]).states)
    alone = encoder.encode(["black circle"], slots=more.slots)
    assert torch.allclose(more.prompts([4]).states, alone.states, atol=2e-3, rtol=2e-3)


def test_another_encoder_or_length_encodes_them_again(encoder, tmp_path):
    (tmp_path / "run").mkdir()
    cached(encoder, tmp_path / "run")
    other = read_text_encoder(save_text_encoder("t5", tmp_path / "other", seed=1))
    assert cached(other, tmp_path / "run")[1] == [(3, 3)]
    with pytest.warns(TubeletWarning, match="1 captions have more than 4 tokens, .*'blue square moves up'"):
        stored, said = cached(other, tmp_path / "run", tokens=4)
    assert (said, stored.slots) == ([(3, 3)], 4)


@pytest.fixture(params=[DiT, MaskedTransformer, AutoregressiveTransformer])
def text_network(request, network, token_config):
    """A network of random weights, in float64, that takes states of 16 features."""
    config = network.config if request.param is DiT else token_config
    facts = {"text_encoder": "somewhere", "text_sha256": "0" * 64, "text_width": 16, "slots": 9}
    made = request.param(replace(config, **facts), seed=1)
    generator = torch.Generator().manual_seed(0)
    for weights in made.parameters():
        weights.data += 0.2 * torch.randn(weights.shape, generator=generator)
    return made.double().eval().requires_grad_(requires_grad=False)


def made_clips(network, prompts, seeds, guidance=2.0):
    steps = {} if isinstance(network, AutoregressiveTransformer) else {"steps": 2}
    sampling = KINDS[network.kind].sampling(guidance=guidance, **steps)
    return sample(network, prompts, seeds=seeds, shape=(2, 4, 4), sampling=sampling)


def test_clips_of_prompts_side_by_side_are_those_of_each_alone(text_network, encoder):
    prompts = encoder.encode(["a red circle moves left quickly", "red"], slots=9)
    together = made_clips(text_network, prompts, [3, 4])
    for index in range(2):
        alone = made_clips(text_network, prompts[[index]], [3 + index])
        assert torch.allclose(together[index], alone[0], atol=1e-9)
    assert not torch.equal(together[0], made_clips(text_network, prompts[[1, 1]], [3, 4])[0])


def test_what_is_behind_a_prompt_is_not_seen(text_network, encoder):
    prompts = encoder.encode(["red", "blue square"], slots=9)
    noise = torch.randn(prompts.states.shape, generator=torch.Generator().manual_seed(0))
    other = EncodedText(torch.where(prompts.seen[..., None], prompts.states, noise), prompts.seen)
    assert torch.equal(made_clips(text_network, prompts, [3, 4]), made_clips(text_network, other, [3, 4]))


def test_guidance_one_is_the_model_as_it_is_and_none_the_model_without_a_prompt(text_network, encoder):
    prompts = encoder.encode(["red", "blue square"], slots=9)
    nothing = EncodedText(torch.zeros_like(prompts.states), torch.zeros_like(prompts.seen))
    free = made_clips(text_network, nothing, [3, 4], guidance=1.0)
    assert torch.allclose(made_clips(text_network, prompts, [3, 4], guidance=0.0).double(), free.double())
    assert not torch.equal(made_clips(text_network, prompts, [3, 4], guidance=1.0), free)


@pytest.fixture
def config(tokenizer_folder, encoder_folder):
    return DiTTrainConfig(
        tokenizer=tokenizer_folder,
        text=encoder_folder,
        width=32,
        blocks=1,
        heads=2,
        stages=(GeneratorStage(batch=4),),
        scenes=SceneData(clips=6, frames=9, height=16, width=16),
        iterations=4,
        unprompted=0.4,
    )


def test_a_run_names_its_text_encoder_and_so_does_its_generator(config, encoder_folder, tmp_path):
    run = tmp_path / "run"
    train_dit(config, data=None, options=RunOptions(folder=run))
    folder = export_generator(run, tmp_path / "mine")
    config_made = read_generator(folder).network.config
    assert (config_made.text_encoder, config_made.text_width) == (encoder_folder, 16)
    assert f"read by the text encoder {encoder_folder}" in (folder / "card.md").read_text()
    request = Request(prompt="a red circle moves left", sampling=FlowSampling(steps=2))
    frames = np.concatenate(list(generate_frames(request, model=read_generator(folder))))
    again = np.concatenate(list(generate_frames(request, model=read_generator(folder))))
    assert frames.shape == (9, 16, 16, 3)
    assert np.array_equal(frames, again)


def test_a_run_with_a_text_encoder_starts_from_a_generator_of_words(config, tmp_path):
    still = replace(config, iterations=1, optimizer=Optimizer(lr=1e-12, weight_decay=0.0))

    def trained(name, **changes):
        run = tmp_path / name
        train_dit(replace(still, **changes), data=None, options=RunOptions(folder=run))
        return export_generator(run, tmp_path / f"{name}-weights")

    of_words = trained("words", text=None)
    of_text = trained("text", start=str(of_words), seed=3)
    further = trained("further", start=str(of_text), text_tokens=20, seed=4)
    folders = (of_words, of_text, further)
    first, second, third = (read_generator(each).network.state_dict() for each in folders)
    assert "words.weight" in first
    assert "words.enter.weight" in second
    for name in second:
        if not name.startswith(("words.", "slots", "mean", "deviation")):
            assert torch.allclose(second[name], first[name], atol=1e-6), name
        if name.startswith("words."):
            assert torch.allclose(third[name], second[name], atol=1e-6), name
    assert len(third["slots"]) == 20 != len(second["slots"])
    both = min(20, len(second["slots"]))
    assert torch.allclose(third["slots"][:both], second["slots"][:both], atol=1e-6)


def test_a_text_encoder_that_moved_is_named_and_another_one_refused(config, encoder_folder, tmp_path, capsys):
    own = shutil.copytree(encoder_folder, tmp_path / "own")
    train_dit(replace(config, text=str(own)), data=None, options=RunOptions(folder=tmp_path / "run"))
    folder = export_generator(tmp_path / "run", tmp_path / "mine")
    moved = own.rename(tmp_path / "moved")
    with pytest.raises(
        CheckpointError, match=r"reads prompts with the text encoder .*give its place by --text"
    ):
        read_generator(folder)
    command = ["generate", "a red circle", "--model", str(folder), "--steps", "1", "-o"]
    assert main([*command, str(tmp_path / "out.mp4"), "--text", str(moved)]) == 0
    figures = ["evaluate-generation", str(folder), "--count", "2", "--text"]
    assert main([*figures, str(tmp_path / "elsewhere"), "-o", str(tmp_path / "no.json")]) != 0
    assert "give its place by --text" in " ".join(capsys.readouterr().err.split())
    other = save_text_encoder("t5", tmp_path / "other", seed=1)
    assert main([*command, str(tmp_path / "no.mp4"), "--text", other]) != 0
    assert "Name the one that it was trained with" in " ".join(capsys.readouterr().err.split())


def test_a_generator_without_a_text_encoder_refuses_one(encoder_folder):
    with pytest.raises(OptionError, match="knows words by itself"):
        read_generator("tubelet-dit", text=encoder_folder)


@pytest.mark.parametrize("order", ["masked", "autoregressive"])
def test_generators_of_tokens_take_one_too(order, discrete_folder, encoder_folder, tmp_path):
    config = TokenTrainConfig(
        tokenizer=discrete_folder, order=order, text=encoder_folder, text_tokens=6, width=32, blocks=1,
        heads=2, stages=(GeneratorStage(batch=4),), iterations=2,
        scenes=SceneData(clips=4, frames=9, height=32, width=32),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*captions have more than 6 tokens")
        train_tokens(config, data=None, options=RunOptions(folder=tmp_path / "run"))
    model = read_generator(export_generator(tmp_path / "run", tmp_path / "mine"))
    assert model.network.config.slots == 6
    assert sum(map(len, generate_frames(Request(prompt="a red circle"), model=model))) == 9


def test_facts_of_prompts_survive_a_round_trip(config, tmp_path):
    plain = PromptFacts(words=("a", "b"), slots=4)
    text = replace(plain, text_encoder="x/y", text_sha256="0" * 64, text_width=8)
    for facts in (plain, text):
        assert facts_from_json(facts_to_json(facts), slots=4) == facts


def test_numbers_of_prompts_that_mean_nothing_are_refused(network):
    with pytest.raises(OptionError, match="there is no text encoder; --text names one"):
        DiTTrainConfig(text_tokens=4)
    with pytest.raises(OptionError, match="lie between 1 and 256"):
        DiTTrainConfig(text="x", text_tokens=0)
    with pytest.raises(OptionError, match="all three are there, or none"):
        replace(network.config, text_width=3)


def test_generators_without_a_text_encoder_keep_their_fingerprints(network):
    config = network.config
    assert fingerprint(config, {}) == fingerprint(replace(config, name="other"), {})
    text = replace(config, text_encoder="x", text_sha256="0" * 64, text_width=8)
    assert len({fingerprint(each, {}) for each in (config, text, replace(text, text_width=9))}) == 3
    assert fingerprint(text, {}) == fingerprint(replace(text, text_encoder="elsewhere"), {})


def test_a_run_goes_on_without_encoding_again(config, tmp_path, stop_after):
    run = tmp_path / "run"
    train_dit(config, data=None, options=RunOptions(folder=run, on_iteration=stop_after(2)))
    said = []
    state = train_dit(config, data=None, options=RunOptions(folder=run, resume=True, on_message=said.append))
    assert state.progress == 1
    assert not [each for each in said if "captions" in each]
    assert read_run(run / "run.json")["text"]["width"] == 16
