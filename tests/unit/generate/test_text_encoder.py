"""Text encoders of transformers: each class is read, a text means the same beside others, code is not run."""

import shutil
import sys

import pytest
import torch
from text_encoders import KINDS, change_json, save_text_encoder, transformers

from tubelet.errors import CheckpointError, OptionError, TubeletWarning
from tubelet.generate.text_encoder import EncoderReader, read_text_encoder

TEXTS = ["a red circle moves left quickly", "red", "blue square moves up over black"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("encoders")
    return {kind: save_text_encoder(kind, root / kind) for kind in KINDS}


@pytest.mark.parametrize("kind", list(KINDS))
def test_texts_side_by_side_give_what_each_gives_alone(folders, kind):
    encoder = read_text_encoder(folders[kind])
    together = encoder.encode(TEXTS, slots=9)
    assert together.states.shape == (3, 9, 16)
    assert together.seen.sum(dim=1).tolist() == [7, 2, 7]
    assert not together.states[~together.seen].any()
    for index, text in enumerate(TEXTS):
        alone = encoder.encode([text], slots=9)
        assert torch.equal(alone.seen, together.seen[index : index + 1])
        assert torch.allclose(alone.states[0], together.states[index], atol=2e-3, rtol=2e-3)
        assert alone.states.abs().max() > 0.1


@pytest.mark.parametrize("kind", list(KINDS))
def test_states_are_those_of_transformers(folders, kind):
    found = read_text_encoder(folders[kind]).encode(TEXTS[:1], slots=7).states
    network = getattr(transformers, KINDS[kind][1]).from_pretrained(folders[kind])
    words = transformers.AutoTokenizer.from_pretrained(folders[kind])
    expected = network(input_ids=words(TEXTS[:1], return_tensors="pt")["input_ids"]).last_hidden_state
    assert torch.equal(found, expected.detach().half().float())


def test_what_is_behind_the_slots_is_left_out_and_said(folders):
    encoder = read_text_encoder(folders["t5"])
    with pytest.warns(TubeletWarning, match="the prompt has 7 tokens, and the generator reads 4"):
        read = EncoderReader(encoder, 4).read(TEXTS[:1])
    assert read.seen.tolist() == [[True] * 4]


def test_a_longer_text_than_an_encoder_has_positions_for_is_cut(folders):
    encoder = read_text_encoder(folders["bert"])
    assert encoder.longest == 40
    assert encoder.encode(["red " * 60], slots=50).seen.sum() == 40
    assert read_text_encoder(folders["t5"]).longest is None


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_text_is_refused(folders, text):
    with pytest.raises(OptionError, match="holds no word"):
        read_text_encoder(folders["t5"]).encode([text], slots=4)


def test_the_fingerprint_is_of_the_files_and_not_of_the_place(folders, tmp_path):
    own = read_text_encoder(folders["bert"]).sha256
    moved = shutil.copytree(folders["bert"], tmp_path / "moved")
    assert read_text_encoder(str(moved)).sha256 == own
    other = save_text_encoder("bert", tmp_path / "other", seed=1)
    assert read_text_encoder(other).sha256 != own


def test_the_folder_of_a_pipeline_is_read(folders, tmp_path):
    for name, files in (("text_encoder", ("config.json", "model.safetensors")), ("tokenizer", ("token*",))):
        (tmp_path / name).mkdir()
        for pattern in files:
            for path in (tmp_path.__class__(folders["umt5"])).glob(pattern):
                shutil.copy(path, tmp_path / name)
    found = read_text_encoder(str(tmp_path)).encode(TEXTS, slots=7)
    assert torch.equal(found.states, read_text_encoder(folders["umt5"]).encode(TEXTS, slots=7).states)


def test_a_folder_that_is_no_text_encoder_is_refused(folders, tmp_path):
    def refused(name, match):
        with pytest.raises(CheckpointError, match=match):
            read_text_encoder(str(name))

    refused(tmp_path / "nowhere", "Put the folder there, or give its place by --text")
    copy = shutil.copytree(folders["bert"], tmp_path / "copy")
    change_json(copy / "config.json", model_type="gpt2")
    refused(copy, "is a 'gpt2'; text encoders are t5, ")
    change_json(copy / "config.json", model_type="bert", num_hidden_layers=3)
    refused(copy, "lacks .* of its weights")
    change_json(copy / "config.json", num_hidden_layers=2)
    (copy / "tokenizer.json").unlink()
    refused(copy, "the tokenizer of the text encoder .* cannot be read")
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    refused(copy, "has no model.safetensors, and other formats may hold code")


def test_code_beside_the_weights_is_not_executed(folders, tmp_path):
    copy = shutil.copytree(folders["bert"], tmp_path / "copy")
    (copy / "modeling.py").write_text("raise SystemExit('executed')")
    change_json(copy / "config.json", auto_map={"AutoModel": "modeling.Model"})
    plain = read_text_encoder(folders["bert"]).encode(TEXTS, slots=7)
    assert torch.equal(read_text_encoder(str(copy)).encode(TEXTS, slots=7).states, plain.states)
    change_json(copy / "tokenizer_config.json", auto_map={"AutoTokenizer": ["modeling.Words", None]})
    try:
        states = read_text_encoder(str(copy)).encode(TEXTS, slots=7).states
    except CheckpointError:
        return
    assert torch.equal(states, plain.states)


def test_without_transformers_the_message_says_what_to_install(folders, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(OptionError, match=r"pip install 'tubelet\[text\]'"):
        read_text_encoder(folders["t5"])
