"""Latents of several parts as functions of one step: clips, streams, tiles and files, whatever runs them."""

from typing import Any

import numpy as np
import pytest
import torch
from exported import NEAR, clip, near, parts_checkpoint
from parts_model import PartsModel

from tubelet.codec.decode import decode_file
from tubelet.codec.encode import encode_file
from tubelet.errors import CheckpointError, OptionError
from tubelet.interop.steps.exported import Step, exported_steps
from tubelet.interop.steps.facts import facts_to_text, text_to_facts
from tubelet.interop.steps.reading import Opened, continuous_of
from tubelet.interop.steps.whole import WholeEncoder
from tubelet.models.protocol import Decoded, Encoded
from tubelet.models.whole_tile import WholeTileModel
from tubelet.types import Part, Stride

SIZE = {"frames": 10, "height": 44, "width": 60}


class TorchSession:
    """A function of one step, run as it is: what every other runtime must equal."""

    def __init__(self, step: Step) -> None:
        self.step = step

    @torch.no_grad()
    def run(self, outputs: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert inputs.keys() == self.step.inputs.keys()
        found = self.step.module(*(torch.from_numpy(inputs[name]) for name in self.step.inputs))
        assert len(found) == len(self.step.outputs)
        return [each.numpy() for each in found]


@pytest.fixture(scope="module")
def made():
    return parts_checkpoint(PartsModel())


@pytest.fixture(scope="module")
def exported(made, tmp_path_factory):
    steps = exported_steps(made)
    folder = tmp_path_factory.mktemp("none")
    return continuous_of(
        Opened(folder, TorchSession(steps.encoder), TorchSession(steps.decoder), steps.facts)
    )


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


def test_files(exported, video_file, tmp_path):
    encode_file(video_file(), tmp_path / "a.tube", tokenizer=exported)
    decode_file(tmp_path / "a.tube", tmp_path / "a.mkv", tokenizer=exported)


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


def test_what_is_remembered_is_of_cells(made):
    with pytest.raises(OptionError, match="remembers numbers of cells"):
        WholeEncoder(Counting())
    with pytest.raises(OptionError, match="not exported in int8"):
        exported_steps(made, number_format="int8")
