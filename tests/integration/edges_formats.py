"""Number formats, copies and compilers around a tokenizer, as training scripts have them; see `edges.py`."""

import copy
import pickle  # noqa: TID251  of our own bytes

import numpy as np
import torch
from edges_common import HALVES, LINEAR, SIZE, clip, discrete, run, small

import tubelet
from tubelet.metrics.ms_ssim import ClipMSSSIM
from tubelet.metrics.ssim import ClipSSIM
from tubelet.tokenizers.continuous import ContinuousTokenizer


def half_precision_of_all_is_half_precision_of_the_networks() -> None:
    for dtype in HALVES:
        for make, networks in ((small, lambda t: t), (discrete, lambda t: t.backbone)):
            plain, known = make().to(dtype), make().networks_to(dtype)
            assert networks(plain).model.encoder.dtype == dtype
            assert networks(plain).dtype == torch.float32
            for name, tensor in known.state_dict().items():
                assert plain.state_dict()[name].dtype == tensor.dtype, name
        assert torch.equal(small().to(dtype).encode(clip()), small().networks_to(dtype).encode(clip()))
        assert torch.equal(small().half().encode(clip()), small().networks_to(torch.float16).encode(clip()))


def float64_and_float32_convert_everything() -> None:
    wide = discrete().to(torch.float64)
    assert {each.dtype for each in wide.state_dict().values()} == {torch.float64}
    assert wide.backbone.encode(clip(dtype=torch.float64)).dtype == torch.float64
    back = small().half().float()
    assert {each.dtype for each in back.state_dict().values()} == {torch.float32}


def copies_and_pickles_are_as_before() -> None:
    tokenizer = small()
    expected = tokenizer.encode(clip())
    for other in (copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):  # noqa: S301  our own bytes
        assert torch.equal(other.encode(clip()), expected)


def streams_that_are_copied_or_pickled_in_mid_clip_go_on_to_the_same() -> None:
    tokenizer, tokens = small(variational=True), discrete()
    latent, digits = tokenizer.encode(clip()), tokens.tokenize(clip()).digits
    size = {"height": 17, "width": 24}
    for start, pieces, numbers in (
        (tokenizer.stream_encoder, clip().split(3, dim=2), lambda found: found),
        (tokenizer.parts_encoder, clip().split(3, dim=2), lambda found: found["latent"]),
        (tokenizer.stream_posterior, clip().split(3, dim=2), lambda found: found.mean),
        (tokens.stream_encoder, clip().split(3, dim=2), lambda found: found),
        (lambda: tokenizer.stream_decoder(**size), latent.split(1, dim=2), lambda found: found),
        (lambda: tokens.stream_decoder(**size), digits.split(1, dim=2), lambda found: found),
    ):
        first, second = pieces
        stream = start()
        stream.push(first)
        pickled = pickle.loads(pickle.dumps(stream))  # noqa: S301  our own bytes
        others = (copy.copy(stream), copy.deepcopy(stream), pickled)
        expected = numbers(stream.push(second))
        assert expected.numel()
        for other in others:
            assert torch.equal(numbers(other.push(second)), expected)


def autocast_costs_no_more_than_half_networks() -> None:
    tokenizer = small()
    expected = tokenizer.encode(clip())
    video = tokenizer.decode(expected, **SIZE)
    for dtype in HALVES:
        with torch.autocast("cpu", dtype=dtype):
            latent = tokenizer.encode(clip())
            stream = tokenizer.stream_encoder()
            streamed = torch.cat([stream.push(clip()), stream.finish()], dim=2)
            back = tokenizer.decode(expected, **SIZE)
            assert torch.equal(
                discrete().tokenize(clip()).digits.float().isfinite(), torch.ones(1, 4, 2, 3, 3).bool()
            )
        assert latent.dtype == streamed.dtype == back.dtype == torch.float32
        for found, wanted in ((latent, expected), (streamed, expected), (back, video)):
            assert (found - wanted).abs().max() < 0.05 * wanted.abs().max()


def another_default_number_format_changes_nothing() -> None:
    tokenizer, tokens = tubelet.load("klt-4x8x8"), tubelet.load_discrete("tubelet-fsq")
    frames = np.random.default_rng(0).integers(0, 256, (2, 176, 176, 3), dtype=np.uint8)
    other = frames // 2

    def results() -> list[torch.Tensor]:
        measures = []
        for metric in (ClipSSIM(), ClipMSSSIM()):
            metric.update(frames, other)
            measures.append(torch.tensor(metric.compute(), dtype=torch.float64))
        latent = tubelet.load("klt-4x8x8").encode(clip())
        digits = tubelet.load_discrete("tubelet-fsq").tokenize(clip()).digits
        return [*measures, latent, digits]

    expected = results()
    assert torch.equal(expected[2], tokenizer.encode(clip()))
    assert torch.equal(expected[3], tokens.tokenize(clip()).digits)
    torch.set_default_dtype(torch.float64)
    try:
        found = results()
    finally:
        torch.set_default_dtype(torch.float32)
    for one, two in zip(found, expected, strict=True):
        assert one.dtype == two.dtype
        assert torch.equal(one, two)


def compiled_without_a_break_it_gives_the_same() -> None:
    for numbers in ({}, LINEAR):
        tokenizer = small(**numbers)
        latent = tokenizer.encode(clip())
        encode = torch.compile(tokenizer.encode, fullgraph=True, backend="eager")
        decode = torch.compile(lambda z, t=tokenizer: t.decode(z, **SIZE), fullgraph=True, backend="eager")
        assert (encode(clip()) - latent).abs().max() < 2e-5
        assert (decode(latent) - tokenizer.decode(latent, **SIZE)).abs().max() < 2e-5


def exported_it_gives_the_same() -> None:
    for numbers in ({}, LINEAR):
        tokenizer = small(**numbers)

        class Encode(torch.nn.Module):
            def __init__(self, inner: ContinuousTokenizer) -> None:
                super().__init__()
                self.inner = inner

            def forward(self, video: torch.Tensor) -> torch.Tensor:
                return self.inner.encode(video)

        class Decode(Encode):
            def forward(self, latent: torch.Tensor) -> torch.Tensor:
                return self.inner.decode(latent, **SIZE)

        latent = tokenizer.encode(clip())
        found = torch.export.export(Encode(tokenizer), (clip(),)).module()(clip())
        assert (found - latent).abs().max() < 2e-5
        back = torch.export.export(Decode(tokenizer), (latent,)).module()(latent)
        assert (back - tokenizer.decode(latent, **SIZE)).abs().max() < 2e-5


if __name__ == "__main__":
    run(globals())
