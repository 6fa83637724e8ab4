"""Latents of several parts are exported, a tensor for each, in streams, tiles and files too."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from exported import NEAR, clip
from parts_model import PartsModel

from tubelet.checkpoint import Checkpoint, find, read_continuous
from tubelet.codec.decode import decode_file
from tubelet.codec.encode import encode_file
from tubelet.errors import CheckpointError, OptionError
from tubelet.evaluate.systems.opening import open_system
from tubelet.evaluate.systems.system import Setting
from tubelet.interop.onnx.export import DECODER, ENCODER, export_onnx
from tubelet.interop.onnx.opening import read_onnx
from tubelet.interop.steps.facts import facts_to_text, text_to_facts
from tubelet.interop.steps.whole import WholeEncoder
from tubelet.models.protocol import Decoded, Encoded
from tubelet.models.twin.config import TwinConfig
from tubelet.models.whole_tile import WholeTileModel
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Part, Stride

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

SIZE = {"frames": 10, "height": 44, "width": 60}
INPUTS = ["whole", "whole_counts", "rows", "rows_counts", "columns", "columns_counts", "first", "past"]


def checkpoint(model, name="parts"):
    return Checkpoint(name=name, tokenizer=ContinuousTokenizer(model).eval(), sha256="4" * 64)


@pytest.fixture(scope="module")
def made():
    return checkpoint(PartsModel())


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    return export_onnx(made, tmp_path_factory.mktemp("onnx") / "parts")


@pytest.fixture(scope="module")
def exported(folder):
    return read_onnx(folder, threads=1)


def near(found, expected):
    assert list(found) == list(expected)
    for name, latent in expected.items():
        torch.testing.assert_close(found[name], latent, **NEAR)


def test_each_part_has_a_tensor_of_its_name(folder):
    graph = onnx.load(folder / DECODER).graph
    assert [each.name for each in graph.input] == INPUTS
    assert [each.name for each in graph.output] == ["frames", "past_next"]
    assert [each.name for each in onnx.load(folder / ENCODER).graph.output] == [*INPUTS[:-2:2], "past_next"]
    card = (folder / "card.md").read_text()
    assert "`rows` 1 x 2 * 3 x h x 4w, `rows_counts` 1 x 2 x h x 4w" in card


@torch.no_grad()
def test_whole_clips_streams_and_tiles(made, exported):
    video, own, other = clip(clips=2), made.tokenizer, exported.tokenizer
    latents = own.encode_parts(video)
    near(other.encode_parts(video), latents)
    known = {"rows": torch.full((1, 1, 1, 1, 1), 2), "columns": torch.zeros(1, 1, 1, 1, 1, dtype=torch.int64)}
    expected = own.decode_parts(latents, **SIZE, known=known)
    torch.testing.assert_close(other.decode_parts(latents, **SIZE, known=known), expected, **NEAR)
    one = {name: latent[:1] for name, latent in latents.items()}
    for tile in (None, (1, 2)):
        encoder = other.parts_encoder(tile=tile)
        runs = [*(encoder.push(run) for run in video[:1].split([1, 2, 7], dim=2)), encoder.finish()]
        near({name: torch.cat([run[name] for run in runs], dim=2) for name in one}, one)
        decoder = other.parts_decoder(**SIZE, tile=tile)
        back = decoder.push(one)
        torch.testing.assert_close(back, own.decode_parts(one, **SIZE), **NEAR)


def test_files_and_systems(exported, folder, video_file, tmp_path):
    encode_file(video_file(), tmp_path / "a.tube", tokenizer=exported)
    decode_file(tmp_path / "a.tube", tmp_path / "a.mkv", tokenizer=exported)
    system = open_system(f"onnx:{folder}", Setting())
    assert system.channels is None
    with pytest.raises(OptionError, match="3 parts"):
        open_system(f"onnx:{folder}@2", Setting())


def test_what_files_say_of_parts_comes_back(exported, tmp_path):
    facts = exported.tokenizer.model.facts
    assert exported.tokenizer.parts == PartsModel().parts
    assert text_to_facts(facts_to_text(facts), tmp_path) == facts
    text = facts_to_text(facts)
    for old, new in (('"channels": 9', '"channels": 8'), ('"stride": [2, 16, 4]', '"stride": [3, 16, 4]')):
        assert old in text
        with pytest.raises(CheckpointError, match="Export it again"):
            text_to_facts(text.replace(old, new), tmp_path)


class Counting(WholeTileModel):
    """A model that remembers how many steps there were: no number of a cell."""

    def __init__(self) -> None:
        super().__init__([Part("mean", 3, Stride(4, 8, 8))], stride=Stride(4, 8, 8))

    def encode_groups(self, groups: Any, past: Any) -> Encoded:
        return Encoded({"mean": groups[:, :, ::4, ::8, ::8]}, None, (torch.zeros(1, 1),))

    def decode_groups(self, latents: Any, past: Any, known: Any) -> Decoded:
        raise NotImplementedError


def test_what_is_remembered_is_of_cells(tmp_path):
    with pytest.raises(OptionError, match="remembers numbers of cells"):
        WholeEncoder(Counting())
    with pytest.raises(OptionError, match="not exported in int8"):
        export_onnx(checkpoint(PartsModel()), tmp_path / "eight", number_format="int8")


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
    video = clip(frames=22, height=70, width=100)
    latents = made.tokenizer.encode_parts(video)
    near(exported.tokenizer.encode_parts(video), latents)
    size = {"frames": 22, "height": 70, "width": 100}
    back = exported.tokenizer.decode_parts(latents, **size)
    torch.testing.assert_close(back, made.tokenizer.decode_parts(latents, **size), **NEAR)


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
    made = checkpoint(model, "twin")
    video, size = clip(frames=20, height=70, width=130), {"frames": 20, "height": 70, "width": 130}
    latents = made.tokenizer.encode_parts(video)
    back = made.tokenizer.decode_parts(latents, **size)
    near(read_onnx(export_onnx(made, tmp_path / "whole")).tokenizer.encode_parts(video), latents)
    small = read_onnx(export_onnx(made, tmp_path / "eight", number_format="int8")).tokenizer
    found = small.decode_parts(latents, **size)
    assert 0 < (found - back).abs().mean() < 0.05
