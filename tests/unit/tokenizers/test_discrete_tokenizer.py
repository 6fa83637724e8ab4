from dataclasses import replace

import pytest
import torch
from torch import nn

from tubelet.errors import LatentError, OptionError, ShapeError, TokenError
from tubelet.quantizers.digits import tokens_to_digits
from tubelet.quantizers.fsq import FSQ
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.token_grid import unflatten
from tubelet.types import Stride

LEVELS = (8, 8, 8, 5, 5, 5)


@pytest.fixture(scope="module")
def backbone(make_tokenizer):
    return make_tokenizer(channels=6, width=8, encoder_blocks=1, decoder_blocks=1).tokenizer


@pytest.fixture(scope="module")
def tokenizer(backbone):
    return DiscreteTokenizer(backbone, FSQ(LEVELS)).eval().requires_grad_(requires_grad=False)


def clip(frames=6, height=20, width=26, *, clips=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(clips, 3, frames, height, width, generator=generator) - 1


def test_a_grid_says_what_it_is_of(tokenizer):
    grid = tokenizer.tokenize(clip(clips=2))
    assert grid.digits.shape == (2, 6, 3, 3, 4)
    assert grid.digits.dtype == torch.uint8
    assert grid.tokens.shape == (2, 1, 3, 3, 4)
    assert (grid.frames, grid.height, grid.width, grid.cells) == (6, 20, 26, (3, 3, 4))
    assert (grid.stride, grid.lead_frame, grid.bases) == (Stride(4, 8, 8), True, (LEVELS,))
    assert grid.codebook_size == tokenizer.codebook_size == 64_000
    assert tokenizer.codebook_sizes == (64_000,)


def test_digits_are_those_of_the_backbones_latent(tokenizer):
    video = clip()
    latent = tokenizer.backbone.encode(video)
    assert torch.equal(tokenizer.tokenize(video).digits, tokenizer.quantizer.quantize(latent))


def test_detokenizing_is_the_backbones_decoding_of_what_tokens_stand_for(tokenizer):
    video = clip()
    grid = tokenizer.tokenize(video)
    embedding = tokenizer.embed(grid)
    assert torch.equal(embedding, tokenizer.quantizer.dequantize(grid.digits))
    decoded = tokenizer.backbone.decode(embedding, frames=6, height=20, width=26)
    assert torch.equal(tokenizer.detokenize(grid), decoded)
    assert torch.equal(tokenizer(video), decoded)


def test_clips_of_a_batch_have_the_tokens_that_they_have_alone(tokenizer):
    videos = clip(clips=3)
    alone = torch.cat([tokenizer.tokenize(each[None]).digits for each in videos])
    assert (tokenizer.tokenize(videos).digits != alone).float().mean() < 1e-3


def test_generated_tokens_become_a_clip(tokenizer):
    ids = torch.randint(64_000, (2, 3 * 3 * 4), generator=torch.Generator().manual_seed(1))
    tokens = unflatten(ids, cells=(3, 3, 4))
    grid = tokenizer.grid(tokens, frames=6, height=20, width=26)
    assert torch.equal(grid.tokens, tokens)
    assert torch.equal(grid.flatten(), ids)
    assert tokenizer.detokenize(grid).shape == (2, 3, 6, 20, 26)


def test_tokens_of_another_size_or_codebook_are_refused(tokenizer):
    tokens = torch.zeros(1, 1, 3, 3, 4, dtype=torch.int64)
    with pytest.raises(ShapeError, match="give the size of the encoded clip"):
        tokenizer.grid(tokens, frames=10, height=20, width=26)
    with pytest.raises(TokenError, match="a token is 64000; the codebook has 64000 values"):
        tokenizer.grid(tokens + 64_000, frames=6, height=20, width=26)


@pytest.mark.parametrize(
    "change",
    [{"stride": Stride(4, 8, 7)}, {"lead_frame": False, "frames": 12}, {"bases": ((8, 8, 8), (5, 5, 5))}],
)
def test_the_grid_of_another_tokenizer_is_refused(tokenizer, change):
    grid = replace(tokenizer.tokenize(clip()), **change)
    with pytest.raises(OptionError, match=r"the grid has bases, .*Use the tokenizer that made it"):
        tokenizer.embed(grid)


def test_damaged_digits_are_refused(tokenizer):
    grid = tokenizer.tokenize(clip())
    digits = grid.digits.clone()
    digits[0, 5, 1, 1, 1] = 5
    with pytest.raises(TokenError, match="digit 5 is 5; its base is 5"):
        tokenizer.detokenize(replace(grid, digits=digits))


def test_a_clip_that_is_no_number_has_no_tokens(tokenizer):
    video = clip()
    video[0, 0, 2, 3, 4] = torch.nan
    with pytest.raises(LatentError, match="of the video are NaN or infinity"):
        tokenizer.tokenize(video)


def test_a_quantiser_of_other_channels_is_refused(backbone):
    with pytest.raises(OptionError, match="backbone has 6 channels and the quantiser takes 4"):
        DiscreteTokenizer(backbone, FSQ((8, 8, 5, 5)))


def test_a_quantiser_whose_weights_could_not_be_stored_is_refused(backbone):
    class Plain:
        channels, bases = 6, ((2,) * 6,)
        __call__ = quantize = dequantize = fit = update = lambda *_: None

    with pytest.raises(OptionError, match="is not a torch module"):
        DiscreteTokenizer(backbone, Plain())


def test_two_tokens_of_a_position_share_its_channels(backbone):
    one, two = (DiscreteTokenizer(backbone, FSQ(LEVELS, tokens=tokens)).tokenize(clip()) for tokens in (1, 2))
    assert torch.equal(one.digits, two.digits)
    assert two.codebook_sizes == (512, 125)
    assert torch.equal(two.tokens[:, :1] + 512 * two.tokens[:, 1:], one.tokens)
    assert torch.equal(tokens_to_digits(two.tokens, two.bases), one.digits)


def test_the_embedding_has_the_number_format_of_the_backbone(make_tokenizer):
    backbone = make_tokenizer(channels=6).tokenizer.to(torch.float64)
    tokenizer = DiscreteTokenizer(backbone, FSQ(LEVELS))
    grid = tokenizer.tokenize(clip().double())
    assert tokenizer.embed(grid).dtype == tokenizer.dtype == torch.float64
    assert tokenizer.detokenize(grid).dtype == torch.float64


def test_it_is_a_module_whose_weights_are_those_of_both_parts(tokenizer):
    names = set(tokenizer.state_dict())
    assert isinstance(tokenizer, nn.Module)
    assert {name.split(".")[0] for name in names} == {"backbone", "quantizer"}
    assert tokenizer.flops_per_pixel() == tokenizer.backbone.flops_per_pixel()


def test_bfloat16_networks_change_few_digits_and_each_by_little(make_tokenizer):
    made = [make_tokenizer(channels=6, width=8, encoder_blocks=1, decoder_blocks=1) for _ in range(2)]
    single, half = (DiscreteTokenizer(each.tokenizer, FSQ(LEVELS)).eval() for each in made)
    half.networks_to(torch.bfloat16)
    video = clip(9, 64, 64)
    difference = single.tokenize(video).digits.int() - half.tokenize(video).digits.int()
    assert difference.abs().max() <= 1
    assert (difference != 0).float().mean() < 0.02
