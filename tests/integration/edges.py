"""What people give public functions by mistake, without the test hook that checks types before we can.

Run as a script with the names of cases: prints what came of each, as JSON.
"""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from edges_common import HALVES, LINEAR, SIZE, clip, discrete, refuses, run, small

from tubelet.errors import LatentError, OptionError, RangeWarning, ShapeError, TokenError
from tubelet.losses.reconstruction import l1
from tubelet.losses.regularisation import kl_standard_normal
from tubelet.metrics.latents import LatentStatistics
from tubelet.metrics.psnr import ClipPSNR
from tubelet.metrics.ssim import ClipSSIM
from tubelet.metrics.usage import TokenUsage
from tubelet.quantizers.fsq import FSQ
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.packing import pack
from tubelet.tokenizers.token_grid import TokenGrid, unflatten
from tubelet.tokenizers.vocabulary import Vocabulary
from tubelet.video.pixels import from_model, to_model


def takers(tokenizer: ContinuousTokenizer) -> list[Callable[[torch.Tensor], object]]:
    """Every public call that takes a clip."""
    tokens = discrete()
    return [
        tokenizer.encode,
        tokenizer,
        small(variational=True).posterior,
        tokenizer.stream_encoder().push,
        tokens.tokenize,
        tokens,
        tokens.stream_encoder().push,
    ]


def half_precision_is_cast_and_the_result_is_the_tokenizers() -> None:
    for numbers in ({}, LINEAR):
        tokenizer = small(**numbers)
        expected = tokenizer.encode(clip())
        for dtype in (*HALVES, torch.float64):
            latent = tokenizer.encode(clip(dtype=dtype))
            assert latent.dtype == torch.float32
            assert torch.equal(latent, tokenizer.encode(clip(dtype=dtype).float()))
            video = tokenizer.decode(expected.to(dtype), **SIZE)
            assert video.dtype == torch.float32
            assert torch.equal(video, tokenizer.decode(expected.to(dtype).float(), **SIZE))


def streams_cast_half_precision_too() -> None:
    tokenizer = small()
    video = clip(dtype=torch.bfloat16)
    stream = tokenizer.stream_encoder()
    parts = [stream.push(video[:, :, :2]), stream.push(video[:, :, 2:].float()), stream.finish()]
    whole = tokenizer.encode(video)
    assert (torch.cat(parts, dim=2) - whole).abs().max() < 2e-5
    decoder = tokenizer.stream_decoder(height=17, width=24)
    assert decoder.push(whole.half()).dtype == torch.float32


def whole_numbers_are_no_clip() -> None:
    for take in takers(small()):
        for wrong in (torch.zeros(1, 3, 5, 17, 24, dtype=torch.uint8), torch.zeros(1, 3, 5, 17, 24).long()):
            refuses(OptionError, "to_model", take, wrong)


def arrays_are_no_tensors() -> None:
    for take in takers(small()):
        refuses(OptionError, "torch.from_numpy", take, np.zeros((1, 3, 5, 17, 24), np.float32))
        refuses(OptionError, "must be a floating-point tensor", take, [0.0])


def levels_of_0_to_255_are_refused() -> None:
    for take in takers(small()):
        refuses(OptionError, "127.5", take, (clip() + 1) * 127.5)
        refuses(OptionError, "127.5", take, (clip() * 2).abs().round() + 1)


def noise_around_zero_may_stand_for_a_clip() -> None:
    noise = torch.randn(1, 3, 5, 17, 24, generator=torch.Generator().manual_seed(0))
    assert small().encode(noise).isfinite().all()


def what_is_no_number_is_refused() -> None:
    for value in (torch.nan, torch.inf, -torch.inf):
        wrong = clip()
        wrong[0, 1, 2, 3, 4] = value
        for take in takers(small()):
            refuses(LatentError, "1 of 6120 values of the video", take, wrong)
        tokenizer = small()
        latent = tokenizer.encode(clip())
        latent[0, 3, 1, 0, 1] = value
        refuses(LatentError, "values of the latent", tokenizer.decode, latent, **SIZE)
        refuses(LatentError, "values of the latent", FSQ((8,) * 12).quantize, latent)
        refuses(LatentError, "values of the latent", LatentStatistics().update, latent)


def other_axes_are_named() -> None:
    tokenizer = small()
    for wrong, cure in (
        (clip().transpose(1, 2), "video.transpose(1, 2)"),
        (clip().permute(0, 2, 3, 4, 1), "video.permute(0, 4, 1, 2, 3)"),
        (clip()[0], "video[None]"),
        (clip()[:, :, 0], "video[:, :, None]"),
        (clip()[0, :, 0], "picture[None, :, None]"),
        (clip()[:, :1], "must be (clips, 3, frames, height, width)"),
        (clip()[:, :, :0], "at least one"),
    ):
        refuses(ShapeError, cure, tokenizer.encode, wrong)
        refuses(ShapeError, cure, tokenizer, wrong)


def _warnings_of(*calls: Callable[[], object]) -> int:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for call in calls:
            call()
    return sum(issubclass(each.category, RangeWarning) for each in caught)


def a_tokenizer_warns_once_of_values_in_0_to_1() -> None:
    tokenizer = small()
    unit = (clip() + 1) / 2
    stream = tokenizer.stream_encoder()
    calls = [lambda: tokenizer.encode(unit), lambda: tokenizer.encode(unit), lambda: stream.push(unit)]
    assert _warnings_of(*calls) == 1
    assert _warnings_of(lambda: small().stream_encoder().push(unit)) == 1
    assert _warnings_of(lambda: discrete().tokenize(unit)) == 1


def levels_over_255_are_values_in_0_to_1() -> None:
    levels = torch.randint(0, 256, (1, 3, 5, 17, 24), generator=torch.Generator().manual_seed(0))
    assert _warnings_of(lambda: small().encode(levels / 255)) == 1


def a_clip_that_is_bright_or_plain_is_none_in_0_to_1() -> None:
    generator = np.random.default_rng(0)
    bright = generator.integers(128, 256, (5, 17, 24, 3), dtype=np.uint8)
    grey = np.full((5, 17, 24, 3), 150, np.uint8)
    for video in (
        to_model(bright),
        to_model(grey),
        torch.zeros(1, 3, 5, 17, 24),
        torch.ones(1, 3, 5, 17, 24),
    ):
        assert _warnings_of(lambda video=video: small().encode(video)) == 0


def the_warning_can_be_silenced() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", RangeWarning)
        small().encode((clip() + 1) / 2)


def a_latent_of_another_kind_is_refused() -> None:
    tokenizer = small()
    latent = tokenizer.encode(clip())
    decoder = tokenizer.stream_decoder(height=17, width=24)
    for take in (lambda z: tokenizer.decode(z, **SIZE), decoder.push, decoder.push_frames):
        refuses(OptionError, "floating-point", take, latent.long())
        refuses(OptionError, "torch.from_numpy", take, latent.numpy())
        refuses(ShapeError, "latent[None]", take, latent[0])
        refuses(OptionError, "1 to 12", take, torch.cat([latent, latent], dim=1))


def counts_of_another_kind_are_refused() -> None:
    for tokenizer in (small(), small(**LINEAR)):
        latent = tokenizer.encode(clip())
        right = torch.full((1, 1, *latent.shape[2:]), 5)

        def decode(counts: object, tokenizer: ContinuousTokenizer = tokenizer, latent=latent) -> object:
            return tokenizer.decode(latent, **SIZE, counts=counts)

        expected = decode(right)
        assert torch.equal(decode(right.int()), expected)
        refuses(OptionError, "counts.long()", decode, right.float())
        refuses(OptionError, "counts.long()", decode, right > 3)
        refuses(OptionError, "torch.from_numpy", decode, right.numpy())
        refuses(OptionError, "must be a tensor of whole numbers", decode, 5)
        refuses(ShapeError, "one for each position", decode, right[0])
        refuses(ShapeError, "one for each position", decode, right[..., :-1])
        refuses(ShapeError, "one for each position", decode, torch.cat([right, right]))
        refuses(OptionError, "clamp(0, 12)", decode, right + 8)
        refuses(OptionError, "clamp(0, 12)", decode, right - 6)
        refuses(OptionError, "counts is on meta", decode, right.to("meta"))


def tensors_elsewhere_are_named() -> None:
    tokenizer = small()
    latent = tokenizer.encode(clip())
    refuses(OptionError, "video is on meta and the tokenizer on cpu", tokenizer.encode, clip().to("meta"))
    refuses(OptionError, "latent is on meta", tokenizer.decode, latent.to("meta"), **SIZE)
    refuses(OptionError, "video is on meta and the reference on cpu", l1, clip(), clip().to("meta"))


def grids_of_another_kind_are_refused() -> None:
    tokenizer = discrete()
    grid = tokenizer.tokenize(clip())
    size = dict(SIZE)
    for take in (tokenizer.detokenize, tokenizer.embed):
        refuses(OptionError, "tokenizer.grid(tokens", take, grid.tokens)
        other = TokenGrid(
            digits=grid.digits, bases=((9, 5, 5, 3),), stride=grid.stride, lead_frame=True, **size
        )
        refuses(OptionError, "Use the tokenizer that made it", take, other)
        outside = TokenGrid(
            digits=grid.digits + 8, bases=grid.bases, stride=grid.stride, lead_frame=True, **size
        )
        refuses(TokenError, "its base is 8", take, outside)
    refuses(OptionError, ".round().long()", tokenizer.grid, grid.tokens.float(), **SIZE)
    refuses(OptionError, "torch.from_numpy", tokenizer.grid, grid.tokens.numpy(), **SIZE)
    refuses(TokenError, "the codebook has 600 values", tokenizer.grid, grid.tokens + 600, **SIZE)
    refuses(ShapeError, "b k t h w", tokenizer.grid, grid.tokens[0], **SIZE)
    refuses(OptionError, ".round().long()", grid.with_tokens, grid.tokens.float())
    refuses(
        OptionError,
        ".round().long()",
        tokenizer.stream_decoder(height=17, width=24).push,
        grid.digits.float(),
    )
    refuses(OptionError, ".round().long()", tokenizer.dequantize, grid.digits.float())
    refuses(
        OptionError,
        "digits is torch.float32",
        TokenGrid,
        digits=grid.digits.float(),
        bases=grid.bases,
        stride=grid.stride,
        lead_frame=True,
        **size,
    )


def numbers_that_are_not_whole_are_no_tokens() -> None:
    grid = discrete().tokenize(clip())
    words = Vocabulary(codebook_sizes=grid.codebook_sizes)
    ids = words.to_ids(grid)
    assert torch.equal(words.to_tokens(ids, cells=grid.cells), grid.tokens)
    refuses(OptionError, "ids is torch.float32", words.to_tokens, ids.float(), cells=grid.cells)
    refuses(ShapeError, "ids[None]", words.to_tokens, ids[0], cells=grid.cells)
    refuses(OptionError, "TokenGrid", words.to_ids, grid.tokens)
    refuses(OptionError, "sequences is torch.float32", unflatten, grid.flatten().float(), cells=grid.cells)
    refuses(OptionError, "tokens is torch.float32", TokenUsage(600).update, grid.tokens.float() + 0.5)
    refuses(OptionError, "tokens is torch.float32", pack, grid.tokens.float(), values=600)
    refuses(OptionError, "floating-point", FSQ((8, 5, 5, 3)).quantize, grid.digits)
    refuses(OptionError, "whole numbers", FSQ((8, 5, 5, 3)).dequantize, grid.digits.float())


def frames_are_arrays_of_8_bits() -> None:
    frames = np.zeros((2, 17, 24, 3), np.uint8)
    for wrong, cure in (
        (torch.zeros(2, 17, 24, 3, dtype=torch.uint8), ".cpu().numpy()"),
        (frames.astype(np.float32), "must be uint8"),
        (frames[0], "picture[None]"),
        (frames[..., :1], "np.repeat(frames, 3, axis=3)"),
        (frames[..., 0], "np.repeat(frames[..., None], 3, axis=3)"),
        (np.zeros((2, 17, 24, 4), np.uint8), "frames[..., :3]"),
        (frames.transpose(0, 3, 1, 2), "frames.transpose(0, 2, 3, 1)"),
        (frames[None], "frames[0]"),
        (list(frames), "np.stack"),
    ):
        refuses(ShapeError, cure, to_model, wrong)
        refuses(ShapeError, cure, small().stream_encoder().push_frames, wrong)
        refuses(ShapeError, cure, ClipPSNR().update, wrong, wrong)
        refuses(ShapeError, cure, ClipSSIM().update, wrong, wrong)
    refuses(ShapeError, "2 clips", from_model, clip(batch=2))
    refuses(OptionError, "torch.from_numpy", from_model, clip().numpy())
    refuses(OptionError, "floating-point", from_model, clip().long())


def losses_compare_clips() -> None:
    right = clip()
    assert l1(right.half(), right.half()).dtype == torch.float32
    refuses(OptionError, "reference is torch.uint8", l1, (right + 1).to(torch.uint8), right)
    refuses(OptionError, "video is a numpy array", l1, right, right.numpy())
    refuses(OptionError, "reference has values", l1, (right + 1) * 127.5, right)
    refuses(LatentError, "of the reference", l1, right * torch.nan, right)
    refuses(LatentError, "of the video", l1, right, right * torch.nan)
    refuses(ShapeError, "video.transpose(1, 2)", l1, right.transpose(1, 2), right.transpose(1, 2))
    refuses(OptionError, "floating-point", kl_standard_normal, right.long(), right.long())
    # A step that overflows in training may be left out by it.
    assert l1(right, (right * torch.nan).requires_grad_()).isnan()


if __name__ == "__main__":
    run(globals())
