"""Latents of several parts in ONNX, a tensor for each.

Tracing a model takes long; all but the least is marked slow: ``pytest -m slow tests/unit/interop``.
"""

import subprocess
import sys

import pytest
import torch
from exported import NEAR, clip, near, parts_checkpoint
from parts_model import PartsModel
from two_parts import TwoParts

from tubelet.checkpoint import find, read_continuous
from tubelet.errors import OptionError
from tubelet.evaluate.systems.opening import open_system
from tubelet.evaluate.systems.system import Setting
from tubelet.interop.onnx.export import DECODER, ENCODER, export_onnx
from tubelet.interop.onnx.opening import read_onnx
from tubelet.models.twin.config import TwinConfig

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

INPUTS = ["whole", "whole_counts", "rows", "rows_counts", "columns", "columns_counts", "first", "past"]


def names(folder, file):
    graph = onnx.load(folder / file).graph
    return [each.name for each in graph.input], [each.name for each in graph.output]


def assert_same_clips(made, exported, **size):
    video = clip(**size)
    latents = made.tokenizer.encode_parts(video)
    near(exported.tokenizer.encode_parts(video), latents)
    back = exported.tokenizer.decode_parts(latents, **size)
    torch.testing.assert_close(back, made.tokenizer.decode_parts(latents, **size), **NEAR)


@torch.no_grad()
def test_each_part_is_a_tensor_of_its_name(tmp_path):
    made = parts_checkpoint(TwoParts())
    folder = export_onnx(made, tmp_path / "two")
    assert names(folder, ENCODER) == (["frames"], ["colour", "light"])
    assert names(folder, DECODER) == (["colour", "colour_counts", "light", "light_counts"], ["frames"])
    assert "`light` 1 x 2 x h x w, `light_counts` 1 x 2 x h x w" in (folder / "card.md").read_text()
    assert_same_clips(made, read_onnx(folder, threads=1), frames=6, height=21, width=30)
    assert open_system(f"onnx:{folder}", Setting()).channels is None
    with pytest.raises(OptionError, match="2 parts"):
        open_system(f"onnx:{folder}@2", Setting())


@pytest.mark.slow
@torch.no_grad()
def test_what_is_remembered_goes_in_and_comes_out(tmp_path):
    made = parts_checkpoint(PartsModel())
    folder = export_onnx(made, tmp_path / "parts")
    assert names(folder, ENCODER)[1] == [*INPUTS[:-2:2], "past_next"]
    assert names(folder, DECODER) == (INPUTS, ["frames", "past_next"])
    assert "`rows` 1 x 2 * 3 x h x 4w, `rows_counts` 1 x 2 x h x 4w" in (folder / "card.md").read_text()
    assert_same_clips(made, read_onnx(folder, threads=1), frames=10, height=44, width=60)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["klt-4x8x8-motion", "tubelet-twin"])
@torch.no_grad()
def test_shipped_tokenizers_on_four_axes(name, tmp_path):
    # In a process of its own: the checks of shapes that tests switch on get in the way of the exporter.
    command = [sys.executable, "-m", "tubelet", "export", name, "-o", str(tmp_path / "out")]
    subprocess.run(command, check=True, capture_output=True)
    for file in (ENCODER, DECODER):
        graph = onnx.load(tmp_path / "out" / file).graph
        values = [*graph.input, *graph.output, *graph.value_info]
        assert max(len(each.type.tensor_type.shape.dim) for each in values) == 4
    made, exported = read_continuous(find(name)), read_onnx(tmp_path / "out")
    assert_same_clips(made, exported, frames=22, height=70, width=100)


@pytest.mark.slow
@torch.no_grad()
def test_networks_of_structure_and_dynamics_in_eight_bits(tmp_path):
    blocks = {"structure_blocks": 1, "dynamics_blocks": 1, "decoder_blocks": 1}
    model = TwinConfig(name="twin", structure=6, dynamics=3, features=12, width=8, **blocks).build()
    generator = torch.Generator().manual_seed(5)
    for weights in model.parameters():
        weights.requires_grad_(requires_grad=False).add_(
            0.05 * torch.randn(weights.shape, generator=generator)
        )
    made = parts_checkpoint(model, "twin")
    video, size = clip(frames=20, height=70, width=130), {"frames": 20, "height": 70, "width": 130}
    latents = made.tokenizer.encode_parts(video)
    back = made.tokenizer.decode_parts(latents, **size)
    near(read_onnx(export_onnx(made, tmp_path / "whole")).tokenizer.encode_parts(video), latents)
    small = read_onnx(export_onnx(made, tmp_path / "eight", number_format="int8")).tokenizer
    found = small.decode_parts(latents, **size)
    assert 0 < (found - back).abs().mean() < 0.05
