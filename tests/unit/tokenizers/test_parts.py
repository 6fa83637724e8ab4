"""Where the positions of parts lie in steps and cells, and what does not fit."""

import pytest
import torch
from einops import repeat

from tubelet.errors import OptionError, ShapeError
from tubelet.models.protocol import Decoded, Encoded
from tubelet.models.whole_tile import WholeTileModel
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.grouping import Grouping
from tubelet.tokenizers.parts import PartGrid
from tubelet.types import Part, Stride

CELL = Stride(4, 8, 8)
SIZE = {"frames": 9, "height": 12, "width": 20}


class Two(WholeTileModel):
    """The means of cells, and every second row of pixels."""

    def __init__(self):
        super().__init__([Part("means", 3, CELL), Part("rows", 3, Stride(1, 2, 1))], stride=CELL)

    def encode_groups(self, groups, past):
        means = torch.nn.functional.avg_pool3d(groups, CELL)
        return Encoded({"means": means, "rows": groups[..., ::2, :]}, None, past)

    def decode_groups(self, latents, past, known):
        return Decoded(repeat(latents["rows"], "b c t h w -> b c t (h two) w", two=2), past)


@pytest.fixture
def tokenizer():
    return ContinuousTokenizer(Two())


@pytest.fixture
def latents(tokenizer):
    return tokenizer.encode_parts(torch.rand(1, 3, *SIZE.values()) * 2 - 1)


def test_a_lead_step_has_one_latent_step_of_every_part():
    grid = PartGrid.of(Part("fine", 1, Stride(1, 8, 4)), Grouping(stride=CELL, lead_frame=True))
    assert [grid.first(step) for step in range(4)] == [0, 1, 5, 9]
    assert [grid.in_step(step) for step in range(3)] == [1, 4, 4]
    assert grid.shape(0, 3, (5, 7)) == (9, 5, 14)
    plain = PartGrid.of(grid.part, Grouping(stride=CELL, lead_frame=False))
    assert [plain.first(step) for step in range(4)] == [0, 4, 8, 12]


def test_a_stride_that_does_not_divide_the_models_is_refused():
    with pytest.raises(OptionError, match="3x8x8 and its model 4x8x8"):
        PartGrid.of(Part("odd", 1, Stride(3, 8, 8)), Grouping(stride=CELL, lead_frame=True))


def test_each_part_has_the_positions_of_its_stride(latents):
    assert {name: tuple(latent.shape[2:]) for name, latent in latents.items()} == {
        "means": (3, 2, 3),
        "rows": (9, 8, 24),
    }


def test_prefixes_are_of_the_part_that_is_named(tokenizer):
    video = torch.rand(1, 3, *SIZE.values()) * 2 - 1
    kept = tokenizer.encode_parts(video, channels={"means": 1})
    assert (kept["means"].shape[1], kept["rows"].shape[1]) == (1, 3)
    with pytest.raises(OptionError, match="channels of part 'other'"):
        tokenizer.encode_parts(video, channels={"other": 1})
    with pytest.raises(OptionError, match="'means' are 4"):
        tokenizer.encode_parts(video, channels={"means": 4})


@pytest.mark.parametrize("call", ["encode", "stream_encoder", "decode", "stream_decoder", "channels"])
def test_doors_of_a_single_part_name_those_of_several(tokenizer, latents, call):
    calls = {
        "encode": lambda: tokenizer.encode(torch.zeros(1, 3, 1, 8, 8)),
        "stream_encoder": tokenizer.stream_encoder,
        "decode": lambda: tokenizer.decode(latents["means"], **SIZE),
        "stream_decoder": lambda: tokenizer.stream_decoder(height=12, width=20),
        "channels": lambda: tokenizer.channels,
    }
    refused = r"2 parts: means, rows. Use encode_parts|in means, rows, of 2 parts.*encode_parts"
    with pytest.raises(OptionError, match=refused):
        calls[call]()


def test_parts_that_do_not_belong_together_are_refused(tokenizer, latents):
    with pytest.raises(ShapeError, match=r"parts \['means'\]; the model has \['means', 'rows'\]"):
        tokenizer.decode_parts({"means": latents["means"]}, **SIZE)
    with pytest.raises(ShapeError, match=r"9x4x24 .* but a clip of 9x12x20 has 9x8x24"):
        tokenizer.decode_parts(latents | {"rows": latents["rows"][:, :, :, :4]}, **SIZE)
    with pytest.raises(ShapeError, match=r"the parts are of \{'means': 1, 'rows': 2\} clips"):
        tokenizer.decode_parts(latents | {"rows": latents["rows"].repeat(2, 1, 1, 1, 1)}, **SIZE)
    stream = tokenizer.parts_decoder(**SIZE)
    with pytest.raises(ShapeError, match="no whole number of steps"):
        stream.push({"means": latents["means"][:, :, :2], "rows": latents["rows"][:, :, :4]})


def test_a_clip_of_one_frame_and_its_stream_agree(tokenizer):
    video = torch.rand(1, 3, 1, 12, 20) * 2 - 1
    stream = tokenizer.parts_encoder()
    begun, ended = stream.push(video), stream.finish()
    whole = tokenizer.encode_parts(video)
    assert all(torch.equal(torch.cat([begun[n], ended[n]], dim=2), whole[n]) for n in whole)
    assert {name: latent.shape[2] for name, latent in whole.items()} == {"means": 1, "rows": 1}
