"""A latent of several parts of different strides goes through files as through streams."""

import numpy as np
import pytest
import torch
from parts_model import PartsModel
from random_tokenizers import make_twin

from tubelet.bitstream.reader import TubeReader
from tubelet.checkpoint import Checkpoint
from tubelet.codec import chunking
from tubelet.codec.decode import decode_file
from tubelet.codec.encode import encode_file
from tubelet.codec.reconstruct import reconstruct_file
from tubelet.codec.symbols import LatentQuantizer, kept_channels
from tubelet.codec.tube import open_tube
from tubelet.errors import CheckpointError, OptionError
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.streams.decoder import KnownLatents
from tubelet.video.pixels import to_model

SIZES = [(1, 5, 7), (4, 16, 16), (14, 40, 37)]


TOKENIZERS = {
    "lead": lambda: ContinuousTokenizer(PartsModel(), lead_frame=True),
    "plain": lambda: ContinuousTokenizer(PartsModel(), lead_frame=False),
    "structure and dynamics": make_twin,
}


@pytest.fixture(params=TOKENIZERS)
def checkpoint(request):
    tokenizer = TOKENIZERS[request.param]()
    return Checkpoint(name="parts", tokenizer=tokenizer, sha256="0" * 64)


@pytest.fixture
def frames(shape):
    generator = np.random.default_rng(7)
    coarse = generator.integers(0, 256, (shape[0], 3, 3, 3), dtype=np.uint8)
    return coarse.repeat(-(-shape[1] // 3), axis=1).repeat(-(-shape[2] // 3), axis=2)[
        :, : shape[1], : shape[2]
    ]


@pytest.fixture
def tube(checkpoint, frames, tmp_path, monkeypatch):
    monkeypatch.setattr(chunking, "LARGEST_CHUNK", 2)
    np.save(tmp_path / "clip.npy", frames)
    encode_file(tmp_path / "clip.npy", tmp_path / "clip.tube", tokenizer=checkpoint)
    return tmp_path / "clip.tube"


@pytest.mark.parametrize("shape", SIZES)
def test_the_file_holds_each_part_quantised(checkpoint, frames, tube):
    tokenizer = checkpoint.tokenizer
    quantizer = LatentQuantizer.of(tokenizer, kept_channels(tokenizer, None), step=1.0)
    latents = tokenizer.encode_parts(to_model(frames))
    expected = quantizer.dequantize(quantizer.quantize(KnownLatents(latents, {}))).latents
    with TubeReader(tube) as reader:
        assert reader.header.version == 3
        assert [part.name for part in reader.header.parts] == [part.name for part in tokenizer.parts]
    with open_tube(tube, tokenizer=checkpoint) as opened:
        found = opened.latents().latents
    for part in tokenizer.parts:
        assert torch.equal(found[part.name], expected[part.name])


@pytest.mark.parametrize("shape", SIZES)
def test_any_part_of_the_clip_is_that_of_the_whole(checkpoint, frames, tube):
    length, height, width = frames.shape[:3]
    with open_tube(tube, tokenizer=checkpoint) as opened:
        whole, latents = opened[:], opened.latents().latents
        assert whole.shape == frames.shape
        for start in range(0, length, 3):
            assert np.array_equal(opened[start : start + 4], whole[start : start + 4])
    decoder = checkpoint.tokenizer.parts_decoder(frames=length, height=height, width=width)
    assert np.array_equal(decoder.push_frames(latents), whole)


@pytest.mark.parametrize("shape", SIZES)
def test_reconstruction_is_encoding_and_decoding(checkpoint, frames, tube, tmp_path):
    reconstruct_file(tmp_path / "clip.npy", tmp_path / "both.npy", tokenizer=checkpoint)
    decode_file(tube, tmp_path / "back.npy", tokenizer=checkpoint)
    assert np.array_equal(np.load(tmp_path / "both.npy"), np.load(tmp_path / "back.npy"))


@pytest.mark.parametrize("shape", SIZES[:1])
def test_what_a_file_of_parts_cannot_do_is_said(checkpoint, tube, tmp_path):
    with pytest.raises(OptionError, match="several parts"):
        open_tube(tube, tokenizer=checkpoint, channels=2)
    with pytest.raises(OptionError, match="parts"):
        encode_file(tmp_path / "clip.npy", tmp_path / "b.tube", tokenizer=checkpoint, channels=2)
    with open_tube(tube, tokenizer=checkpoint) as opened, pytest.raises(OptionError, match="parts"):
        opened.latent()
    other = Checkpoint(name="parts", tokenizer=checkpoint.tokenizer, sha256="1" * 64)
    with pytest.raises(CheckpointError, match="was made with"):
        open_tube(tube, tokenizer=other)
