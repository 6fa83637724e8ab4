"""OpenVINO computes what the tokenizer computes; and without it a message says what to install."""

import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch
from exported import NEAR, checkpoint_of, clip, discrete_checkpoint, near, parts_checkpoint, same_tokens
from two_parts import TwoParts

from tubelet.checkpoint import read_continuous
from tubelet.cli.contents import facts_of
from tubelet.cli.main import main
from tubelet.errors import CheckpointError
from tubelet.evaluate.systems.opening import open_system
from tubelet.evaluate.systems.system import Setting
from tubelet.interop.openvino import (
    DECODER,
    ENCODER,
    FILES,
    export_openvino,
    read_openvino,
    read_openvino_discrete,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")
lacks_openvino = pytest.mark.skipif(find_spec("openvino") is not None, reason="openvino is installed")


@pytest.fixture(scope="module")
def folder(network_made, tmp_path_factory):
    return export_openvino(checkpoint_of(network_made), tmp_path_factory.mktemp("openvino") / "network")


@needs_openvino
@torch.no_grad()
def test_clips_streams_and_tiles(network_tokenizer, folder):
    exported, video = read_openvino(folder, threads=1).tokenizer, clip()
    latent = network_tokenizer.encode(video)
    torch.testing.assert_close(exported.encode(video), latent, **NEAR)
    size = {"frames": 10, "height": 44, "width": 60}
    expected = network_tokenizer.decode(latent[:, :5], **size)
    torch.testing.assert_close(exported.decode(latent[:, :5], **size), expected, **NEAR)
    for tile in (None, (3, 4)):
        decoder = exported.stream_decoder(**size, tile=tile)
        back = torch.cat([decoder.push(steps) for steps in latent[:, :5].split(1, dim=2)], dim=2)
        torch.testing.assert_close(back, expected, **NEAR)


@needs_openvino
@torch.no_grad()
def test_a_discrete_tokenizer(network_made, tmp_path):
    made, video = discrete_checkpoint(network_made), clip()
    exported = read_openvino_discrete(export_openvino(made, tmp_path / "digits"), threads=1).tokenizer
    grid = made.tokenizer.tokenize(video)
    assert same_tokens(exported.tokenize(video), grid)
    torch.testing.assert_close(exported.detokenize(grid), made.tokenizer.detokenize(grid), **NEAR)


@needs_openvino
def test_as_a_system_and_damage(folder, tmp_path):
    assert open_system(f"openvino:{folder}@4", Setting()).channels == 4
    with pytest.raises(CheckpointError, match="there is no"):
        read_openvino(tmp_path)
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / DECODER).write_text("<net", encoding="utf-8")
    with pytest.raises(CheckpointError, match="no model of OpenVINO"):
        read_openvino(broken)
    shutil.copyfile(folder / ENCODER, broken / DECODER)
    shutil.copyfile(folder / "encoder.bin", broken / "decoder.bin")


@needs_openvino
def test_the_command(network_folder, tmp_path, capsys):
    target = tmp_path / "out"
    command = ["export", str(network_folder), "-o", str(target), "--format", "openvino", "--dtype", "float16"]
    assert main(command) == 0
    assert "dB of" in capsys.readouterr().out
    assert sorted(path.name for path in target.iterdir()) == sorted(FILES)
    facts = facts_of(target)
    assert (facts["written_as"], facts["name"], facts["dtype"]) == ("openvino", "network", "float16")
    assert (facts["channels"], list(facts["files"])) == (12, list(FILES))
    assert facts_of(target / "encoder.bin") == facts


@torch.no_grad()
def assert_same_parts(made, folder):
    exported, own = read_openvino(folder, threads=1).tokenizer, made.tokenizer
    size = {"frames": 22, "height": 70, "width": 100}
    video = clip(**size)
    latents = own.encode_parts(video)
    near(exported.encode_parts(video), latents)
    back = exported.decode_parts(latents, **size)
    torch.testing.assert_close(back, own.decode_parts(latents, **size), **NEAR)


@needs_openvino
def test_a_latent_of_two_parts(tmp_path):
    made = parts_checkpoint(TwoParts())
    assert_same_parts(made, export_openvino(made, tmp_path / "two"))


@needs_openvino
@pytest.mark.slow
@pytest.mark.parametrize("name", ["tubelet-twin", "klt-4x8x8-motion"])
def test_the_command_writes_shipped_tokenizers_of_several_parts(name, tmp_path):
    # In a process of its own: the checks of shapes that tests switch on get in the way of the exporter.
    folder = tmp_path / "out"
    command = [sys.executable, "-m", "tubelet", "export", name, "-o", str(folder), "--format", "openvino"]
    subprocess.run(command, check=True, capture_output=True)
    assert_same_parts(read_continuous(name), folder)


@lacks_openvino
def test_a_message_says_what_to_install(network_folder, tmp_path, capsys):
    assert main(["export", str(network_folder), "-o", str(tmp_path / "out"), "--format", "openvino"]) == 2
    assert "pip install 'tubelet[openvino]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
