import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tubelet import further
from tubelet.checkpoint import DEFAULT, find, load, read_continuous, shipped
from tubelet.errors import CheckpointError, OptionError, OutputError
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.save import fingerprint


@pytest.fixture
def folder(small_folder, tmp_path):
    """A copy that may be damaged."""
    return shutil.copytree(small_folder, tmp_path / "copy")


@pytest.fixture
def edit(folder):
    """Change config.json; a name with a dot is one of the configuration's."""

    def change(**changes):
        path = folder / "config.json"
        facts = json.loads(path.read_text())
        for name, value in changes.items():
            (facts["config"] if name in facts["config"] else facts)[name] = value
        path.write_text(json.dumps(facts))
        return folder

    return change


@pytest.mark.parametrize("kind", ["small", "network"])
def test_a_saved_tokenizer_comes_back_whole(kind, request, tmp_path):
    made = request.getfixturevalue(f"{kind}_made")
    back = read_continuous(made.tokenizer.save(tmp_path / "made", card="# x\n"))
    assert back.tokenizer.config == replace(made.config, name="made")
    expected = made.tokenizer.state_dict()
    assert all(torch.equal(weights, expected[name]) for name, weights in back.tokenizer.state_dict().items())


def test_a_loaded_tokenizer_computes_what_the_saved_one_did(network_folder, network_tokenizer):
    video = torch.rand(1, 3, 6, 9, 9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(load(network_folder).encode(video), network_tokenizer.encode(video))


def test_a_loaded_tokenizer_is_ready_to_use(network_folder):
    tokenizer = load(network_folder)
    assert not tokenizer.training
    assert not any(weights.requires_grad for weights in tokenizer.parameters())


def test_double_precision_survives_the_disk(make_tokenizer, tmp_path):
    made = make_tokenizer()
    folder = made.tokenizer.double().save(tmp_path / "double", card="# x\n")
    assert load(folder).dtype == torch.float64


def test_nothing_is_overwritten_unasked(small_made, small_folder):
    with pytest.raises(OutputError, match="--force"):
        small_made.tokenizer.save(small_folder, card="# other\n")
    assert (small_folder / "card.md").read_text() == "# test\n"


@pytest.mark.parametrize("lead_frame", [True, False])
def test_the_use_of_a_lead_frame_does_not_change_who_a_tokenizer_is(small_folder, lead_frame):
    checkpoint = read_continuous(small_folder, lead_frame=lead_frame)
    assert checkpoint.tokenizer.lead_frame == checkpoint.tokenizer.config.lead_frame == lead_frame
    assert checkpoint.sha256 == read_continuous(small_folder).sha256


def test_the_name_does_not_change_who_a_tokenizer_is(small_made):
    weights = small_made.tokenizer.weights()
    renamed = replace(small_made.config, name="other")
    assert fingerprint(renamed, weights) == fingerprint(small_made.config, weights)


def test_a_single_changed_bit_changes_who_a_tokenizer_is(small_made):
    weights = {name: each.clone() for name, each in small_made.tokenizer.weights().items()}
    before = fingerprint(small_made.config, weights)
    weights["transform.deviation"].view(torch.int32)[0] ^= 1
    assert fingerprint(small_made.config, weights) != before


def test_the_default_is_shipped_and_comes_first():
    assert shipped()[0] == DEFAULT
    assert find() == find(DEFAULT)


def test_further_tokenizers_are_found_where_they_are_installed(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(further, "PACKAGE", "some_further_weights")
    assert not set(shipped()) & set(further.TOKENIZERS)
    with pytest.raises(
        CheckpointError, match="tubelet-flow is in the distribution tubelet-weights, which is not"
    ):
        find("tubelet-flow")
    package = tmp_path / "site" / "some_further_weights"
    shutil.copytree(folder, package / "weights" / "tubelet-flow")
    (package / "__init__.py").write_text("raise RuntimeError('nothing is imported')")
    monkeypatch.syspath_prepend(package.parent)
    assert find("tubelet-flow") == package / "weights" / "tubelet-flow"
    assert "tubelet-flow" in shipped()


def test_a_path_is_the_folder_even_where_a_shipped_one_has_its_name(folder, monkeypatch):
    mine = folder.rename(folder.parent / DEFAULT)
    monkeypatch.chdir(mine.parent)
    for path in (f"./{DEFAULT}", f"{DEFAULT}/", mine):
        assert find(path).samefile(mine)
    assert not find(DEFAULT).samefile(mine)


@pytest.mark.parametrize("name", ["no-such-one", "", "../weights", "no/such/folder", "x" * 200])
def test_an_unknown_name_is_answered_with_the_known_ones(name):
    with pytest.raises(CheckpointError, match=f"shipped are {DEFAULT}.*tubelet models"):
        read_continuous(name)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_training_run_is_named_with_what_makes_a_tokenizer_of_it(tmp_path, kind):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(
        CheckpointError, match=rf"training run.*`tubelet export-checkpoint {tmp_path} -o DIR`"
    ):
        find(kind(tmp_path))


def test_changed_weights_are_noticed(folder):
    weights = load_file(folder / "weights.safetensors")
    weights["transform.deviation"][0] += 1
    save_file(weights, folder / "weights.safetensors")
    with pytest.raises(CheckpointError, match=r"has SHA-256 .* config.json says .* fetch it again"):
        load(folder)


def test_a_changed_hash_is_noticed(edit):
    with pytest.raises(CheckpointError, match="SHA-256"):
        load(edit(sha256="0" * 64))


@pytest.mark.parametrize("hash_", [None, 5, []])
def test_a_hash_that_is_no_text_is_noticed(edit, hash_):
    with pytest.raises(CheckpointError, match="SHA-256"):
        load(edit(sha256=hash_))


@pytest.mark.parametrize("version", [2, 0, "1", None])
def test_another_format_is_refused(edit, version):
    with pytest.raises(CheckpointError, match=f"format {version!r}; this program reads 1. Upgrade it."):
        load(edit(format=version))


def test_another_architecture_is_refused(edit):
    with pytest.raises(
        CheckpointError, match=r"'other' tokenizer; this program knows continuous, discrete. Upgrade"
    ):
        load(edit(architecture="other"))


def test_an_unknown_setting_is_refused(edit, folder):
    config = json.loads((folder / "config.json").read_text())["config"]
    with pytest.raises(CheckpointError, match=r"sets \['temperature'\], unknown to this program. Upgrade"):
        load(edit(config=config | {"temperature": 1}))


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "5", '"text"', "{}", '{"format": 1}', "\x00", "[" * 200_000, '{"a":' * 100_000],
    ids=["empty", "cut", "null", "list", "number", "text", "bare", "half", "nul", "deep-list", "deep-object"],
)
def test_damaged_json_is_named(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(
        CheckpointError, match=r"config.json is not a checkpoint of tubelet: .* Fetch it again"
    ):
        load(folder)


def test_json_that_is_no_text_is_named(folder):
    (folder / "config.json").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(CheckpointError, match="not a checkpoint of tubelet"):
        load(folder)


def test_a_huge_config_is_not_even_read(folder):
    with (folder / "config.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(CheckpointError, match=f"has {1 << 40} bytes; at most"):
        load(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"patches": [[65536, 65536, 65536]], "coefficients": [65536], "channels": 65536},
        {"patches": [[4096, 64, 64]], "coefficients": [65536], "channels": 1},
        {"patches": [[4, 8, 1 << 40]]},
        {"patches": [[4, 8, float("inf")]]},
        {"patches": [[4, 8]]},
        {"patches": [[4, 8, 0]]},
        {"patches": []},
        {"patches": 5},
        {"patches": [[4, 8, 8], [1, 2, 2]]},
        {"coefficients": []},
        {"coefficients": [-12]},
        {"coefficients": ["many"]},
        {"coefficients": [10**9]},
        {"channels": 13},
        {"channels": 0},
        {"channels": 1.5},
        {"channels": None},
        {"width": 1 << 40, "encoder_blocks": 1},
        {"width": "wide"},
        {"width": 65536, "encoder_blocks": 200, "decoder_blocks": 200},
        {"encoder_blocks": 10**9},
        {"encoder_blocks": -1},
        {"decoder_blocks": "two"},
        {"decoder_blocks": True},
        {"lead_frame": "yes"},
        {"name": 5},
        {"config": 5},
        {"config": []},
        {"config": {}},
    ],
    ids=str,
)
def test_a_configuration_without_meaning_is_named_and_takes_no_memory(edit, changes):
    with pytest.raises(CheckpointError, match=r"(Fetch|fetch) (it|them) again"):
        load(edit(**changes))


def test_missing_weights_are_named(folder):
    (folder / "weights.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"the weights in .* cannot be used: .* Fetch them again"):
        load(folder)


@pytest.mark.parametrize("kept", [0, 7, 8, 100, 1000, -1])
def test_truncated_weights_are_named(folder, kept):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"the weights in .* cannot be used: .* Fetch them again"):
        load(folder)


def test_weights_of_another_shape_are_named(folder):
    weights = load_file(folder / "weights.safetensors")
    weights["transform.deviation"] = weights["transform.deviation"][:5].contiguous()
    save_file(weights, folder / "weights.safetensors")
    with pytest.raises(CheckpointError, match="size mismatch"):
        load(folder)


@pytest.mark.parametrize("name", ["transform.deviation", "more"])
def test_a_missing_or_foreign_weight_is_named(folder, name):
    weights = load_file(folder / "weights.safetensors")
    if weights.pop(name, None) is None:
        weights[name] = torch.zeros(3)
    save_file(weights, folder / "weights.safetensors")
    with pytest.raises(CheckpointError, match=name):
        load(folder)


def test_weights_that_are_a_pickle_are_not_executed(folder, tmp_path):
    witness = tmp_path / "executed"
    pickled = f"cposix\nsystem\n(S'touch {witness}'\ntR.".encode()
    (folder / "weights.safetensors").write_bytes(pickled)
    with pytest.raises(CheckpointError):
        load(folder)
    assert not witness.exists()


def test_what_was_loaded_and_trained_is_saved_and_loaded_again(network_folder, tmp_path):
    tuned = load(network_folder).requires_grad_()
    video = torch.rand(1, 3, 5, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    before = load(network_folder)(video)
    optimizer = torch.optim.SGD(tuned.parameters(), lr=1e-2)
    (tuned(video) - video).square().mean().backward()
    optimizer.step()
    again = load(tuned.save(tmp_path / "tuned"))
    assert torch.equal(again(video), tuned.eval().requires_grad_(requires_grad=False)(video))
    assert not torch.equal(again(video), before)
    assert again.config.name == "tuned"


def test_a_tokenizer_with_networks_in_halves_is_saved_in_whole_numbers(network_folder, tmp_path):
    halved = load(network_folder).networks_to(torch.bfloat16)
    again = load(halved.save(tmp_path / "halved"))
    assert {each.dtype for each in again.weights().values()} == {torch.float32}
    expected = {name: each.float() for name, each in halved.weights().items()}
    assert all(torch.equal(again.weights()[name], each) for name, each in expected.items())


def test_the_use_of_the_lead_frame_is_saved(small_folder, tmp_path):
    plain = load(small_folder, lead_frame=False)
    assert not load(plain.save(tmp_path / "plain")).lead_frame


def test_a_tokenizer_that_nobody_can_build_again_is_not_saved(small_made, tmp_path):
    by_hand = ContinuousTokenizer(small_made.tokenizer.model)
    with pytest.raises(OptionError, match=r"put together by hand.*ContinuousTokenizer.of"):
        by_hand.save(tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("name", ["encoder.onnx", "encoder.xml", "encoder.pt2"])
def test_what_was_exported_is_named_with_what_says_of_which(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"exported for other programs.*tubelet info .* names"):
        find(tmp_path)
