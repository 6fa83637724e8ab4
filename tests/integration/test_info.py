"""`tubelet info` knows every file and folder of ours, and says the same to people and to programs."""

import json

import numpy as np
import pytest
import torch
from commands import refused
from random_tokenizers import make_twin
from safetensors.torch import save_file

from tubelet import checkpoint, further
from tubelet.video.pixels import to_model


@pytest.fixture
def told(cli):
    """What is told about a path, after comparing both ways of telling."""

    def tell(path):
        ended = cli("info", path, "--json")
        assert (ended.code, ended.err) == (0, "")
        facts = json.loads(ended.out)
        assert [line.split()[0] for line in cli("info", path).out.splitlines()] == list(facts)
        assert facts["path"]
        return facts

    return tell


def test_a_tokenizer(told, network_folder):
    facts = told(network_folder)
    assert (facts["format"], facts["gives"], facts["channels"]) == ("tokenizer 1", "latents", 12)
    assert (facts["name"], facts["stride"], facts["networks"]) == ("network", "4x8x8", True)
    assert len(facts["sha256"]) == 64
    assert told(network_folder / "weights.safetensors") == told(network_folder / "config.json") == facts


def test_a_tokenizer_of_several_parts(told, tmp_path):
    facts = told(make_twin().save(tmp_path / "twin"))
    assert (facts["gives"], facts["channels"], facts["stride"]) == ("latents", 9, "16x64x64")
    assert facts["parts"]["rows"] == {"channels": 2, "stride": "4x8x64"}


def test_the_list_of_tokenizers_counts_the_numbers_of_all_parts(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SHIPPED", tmp_path)
    monkeypatch.setattr(further, "PACKAGE", "no_such_package")
    make_twin().save(tmp_path / "twin")
    (model,) = json.loads(cli("models", "--json").out)
    # 3 x 16 x 64 x 64 numbers become 5 x 16 of structure and 4 x 2 x (8 + 8) of dynamics.
    assert model["channels"] == 9
    assert model["numbers_in_per_number_out"] == pytest.approx(3 * 16 * 64 * 64 / (80 + 128))
    assert "945:1" in cli("models").out


def test_a_discrete_tokenizer(told, token_folder):
    facts = told(token_folder)
    assert (facts["gives"], facts["quantizer"], facts["codebook_sizes"]) == ("tokens", "fsq", [600])


def test_a_damaged_tokenizer_is_refused(cli, make_folder, make_tokenizer):
    folder = make_folder(make_tokenizer())
    data = bytearray((folder / "weights.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(data)
    assert refused(cli("info", folder), 1, "SHA-256")


@pytest.mark.parametrize("suffix", [".tube", ".npz", ".parquet"])
def test_tokens(cli, told, video_file, token_folder, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    target = tmp_path / f"clip{suffix}"
    assert cli("tokenize", video_file(), "-o", target, "--tokenizer", token_folder).code == 0
    facts = told(target)
    first = facts.get("first", facts)
    assert (first["tokenizer"], first["frames"], first["width"]) == ("tokens", 9, 40)
    assert (first["codebook_sizes"], first["tokens"]) == ([600], "1x3x3x5")
    assert facts["bytes"] == target.stat().st_size


def test_prepared_crops(told, data):
    facts = told(data)
    assert (facts["format"], facts["crops"], facts["clips"]) == ("prepared crops 1", 18, 3)
    assert (facts["frames"], facts["width"], facts["skipped"]) == (9, 24, {})
    assert told(data / "crops-00000.npy")["shape"] == "6x9x24x24x3"


def test_the_state_of_a_stream(told, network_tokenizer, smooth, tmp_path):
    stream = network_tokenizer.stream_encoder()
    stream.push(to_model(smooth(7, 24, 40)))
    save_file(stream.state().to_tensors(), tmp_path / "state.safetensors")
    facts = told(tmp_path / "state.safetensors")
    assert facts["format"] == "state of a stream"
    assert (facts["step"], facts["width"], facts["height"], facts["pending_frames"]) == (2, 40, 24, 2)


def test_weights_of_a_network(told, written):
    facts = told(written({"alpha": torch.ones(1, 4, 1, 1), "beta": torch.ones(1, 4, 1, 1)}))
    assert (facts["format"], facts["tensors"], facts["numbers"]) == ("weights of dists", 2, 8)


def test_an_evaluation_with_its_folder(cli, told, video_file, small_folder, tmp_path):
    (tmp_path / "clips").mkdir()
    video_file("clips/a.mkv")
    results = tmp_path / "figures"
    arguments = ("evaluate", tmp_path / "clips", "--with", small_folder, "--workers", "1", "-o", results)
    assert cli(*arguments).code == 0
    facts = told(results)
    assert (facts["format"], facts["finished"], facts["clips"]) == ("evaluation 1", True, 1)
    assert facts["systems"] == [str(small_folder)]
    assert told(results / "results.json") == facts
    (results / "results.json").unlink()
    assert told(results)["finished"] is False


@pytest.mark.parametrize("command", ["encode", "reconstruct"])
def test_figures_of_a_command(cli, told, video_file, small_folder, tmp_path, command):
    output = tmp_path / ("a.tube" if command == "encode" else "a.mkv")
    arguments = (
        command,
        video_file(),
        "-o",
        output,
        "--tokenizer",
        small_folder,
        "--json",
        tmp_path / "a.json",
    )
    assert cli(*arguments).code == 0
    facts = told(tmp_path / "a.json")
    assert (facts["format"], facts["protocol"]) == ("figures", f"tubelet {command}")


def test_a_latent_that_an_evaluation_kept(told, tmp_path):
    np.save(tmp_path / "a.latent.npy", np.zeros((12, 3, 5), np.float16))
    assert told(tmp_path / "a.latent.npy")["format"] == "array of latent"


def test_models_as_json_is_the_table(cli):
    models = json.loads(cli("models", "--json").out)
    table = cli("models").out.split("\n\n")[0].splitlines()[2:]
    assert [model["name"] for model in models] == [line.split()[0] for line in table]
    found = {model["name"]: model for model in models}
    assert found["tubelet-m"]["default"] and found["tubelet-m"]["stride"] == [4, 8, 8]
    assert found["tubelet-fsq"]["gives"] == "tokens" and found["tubelet-fsq"]["codebook_sizes"] == [64000]


@pytest.mark.parametrize(
    "name", ["config.json", "a.json", "a.npz", "a.parquet", "a.safetensors", "a.tube", "a.npy"]
)
@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\x00" * 50])
def test_what_is_none_of_ours_is_refused_in_one_line(cli, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert refused(cli("info", tmp_path / name), 1)


def test_a_folder_of_no_kind_is_answered_with_the_kinds(cli, tmp_path):
    assert refused(
        cli("info", tmp_path), 2, "config.json", "run.json", "index.json", "results.json", "encoder.onnx"
    )


@pytest.mark.parametrize(
    "name", ["none", "none.json", "none.npz", "none.safetensors", "none.parquet", "none.npy"]
)
def test_what_is_not_there_is_named(cli, tmp_path, name):
    assert refused(cli("info", tmp_path / name), 1, name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"path": "a.mp4"}]', "holds no figures of tubelet"),
        ('{"a": 1}', "holds no figures"),
        ('{"a"', "char"),
    ],
)
def test_json_of_others_is_told_what_figures_are(cli, tmp_path, text, said):
    path = tmp_path / "list.json"
    path.write_text(text)
    ended = cli("info", path)
    assert refused(ended, ended.code, "list.json", said)
    assert "Error(" not in ended.err
