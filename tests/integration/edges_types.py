"""Arguments of another type than public functions take: each is named, or means something; see `edges.py`."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from edges_common import SIZE, clip, discrete, refuses, run, small

import tubelet
from tubelet.devices import find_device
from tubelet.errors import OptionError, ShapeError, TubeletError
from tubelet.metrics.usage import DigitUsage
from tubelet.quantizers.digits import digits_to_tokens, tokens_to_digits

WRONG = (None, "1", 1.5, [], {}, b"x", float("nan"), "a\0b")
"""What is given for a path, a number, a text or a function."""

Call = Callable[..., object]


@contextmanager
def files() -> Iterator[Path]:
    """A folder with a clip, a file of its latent, and one of its tokens."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "a.npy", np.zeros((3, 8, 8, 3), np.uint8))
        tubelet.encode_file(folder / "a.npy", folder / "a.tube", tokenizer="klt-4x8x8")
        yield folder


def means_something_or_is_named(call: Call, **arguments: object) -> None:
    """Call with each argument of another type, the others as they are: any error is one of ours."""
    for name in arguments:
        for wrong in WRONG:
            try:
                call(**(arguments | {name: wrong}))
            except TubeletError as error:
                assert name in str(error) or repr(wrong)[:20] in str(error), f"{name}={wrong!r}: {error}"
            except Exception as error:
                raise AssertionError(f"{name}={wrong!r} gives {error!r}") from error


def names(call: Call, words: str, **arguments: object) -> None:
    refuses(OptionError, words, call, **arguments)


def the_device_is_a_name() -> None:
    for call in (tubelet.load, tubelet.load_discrete):
        for wrong in (None, 0, 1.5, [], True):
            names(call, f"the device is {wrong!r}; it is cpu, cuda, or cuda:N", device=wrong)


def a_gpu_is_one_that_is_there() -> None:
    with mock.patch("torch.cuda.device_count", lambda: 2):
        for wrong in ("cuda:2", "cuda:255", "cuda:256", "cuda:300", torch.device("cuda", 3)):
            names(find_device, f"the device is {wrong}, and PyTorch finds 2 GPUs here", name=wrong)
        assert find_device("cuda:1") == find_device(torch.device("cuda", 1)) == torch.device("cuda:1")


def files_are_given_by_paths() -> None:
    with files() as folder:
        video, tube = folder / "a.npy", folder / "a.tube"
        frames = np.zeros((3, 8, 8, 3), np.uint8)
        words = "source is an array of uint8 (3, 8, 8, 3); it is a path"
        names(tubelet.encode_file, words, source=frames, target=folder / "b.tube")
        for wrong in (None, 1, b"x", [], 1.5):
            words = f"is {wrong!r}; it is a path"
            new = {"target": folder / "b.tube", "tokenizer": "klt-4x8x8"}
            names(tubelet.encode_file, f"source {words}", **(new | {"source": wrong}))
            names(tubelet.encode_file, f"target {words}", **(new | {"source": video, "target": wrong}))
            names(tubelet.decode_file, f"source {words}", source=wrong, target=folder / "b.mkv")
            names(tubelet.decode_file, f"target {words}", source=tube, target=wrong)
            names(tubelet.tokenize_file, f"target {words}", source=video, target=wrong)
            names(tubelet.detokenize_file, f"source {words}", source=wrong, target=folder / "b.mkv")
            names(tubelet.transcode_file, f"source {words}", source=wrong, target=folder / "b.tube")
            names(tubelet.continue_file, f"source {words}", source=wrong, target=folder / "b.mkv")
            names(tubelet.continue_file, f"target {words}", source=video, target=wrong)
            names(tubelet.reconstruct_file, f"source {words}", source=wrong, target=folder / "b.mkv")
            names(tubelet.open_tube, f"path {words}", path=wrong)
            names(tubelet.probe, f"source {words}", source=wrong)
            names(small().save, f"folder {words}", folder=wrong)
            names(lambda source: next(tubelet.read(source)), f"source {words}", source=wrong)
            names(lambda source: next(tubelet.read_tokens(source)), f"source {words}", source=wrong)
        names(tubelet.open_tube, "holds the character 0", path="a\0b")
        assert tubelet.probe(str(video)).width == 8


def numbers_are_numbers() -> None:
    with files() as folder:
        video, tube, new = folder / "a.npy", folder / "a.tube", folder / "b.tube"
        encode = {"source": video, "target": new, "tokenizer": "klt-4x8x8"}
        for wrong in ("1", [], None):
            names(tubelet.encode_file, f"step is {wrong!r}; it is a number", **encode, step=wrong)
            names(tubelet.encode_file, f"contrast is {wrong!r}; it is", **encode, budget=2, contrast=wrong)
        names(tubelet.decode_file, "start is '1'; it is a number", source=tube, target="b.mkv", start="1")
        words = "it is a number of bytes, such as 1073741824"
        names(tubelet.open_tube, words, path=tube, memory="1GiB")
        names(tubelet.transcode_file, words, source=tube, target=new, memory=None)
        names(small().stream_encoder(memory=None).push, words, video=clip())
        names(lambda **which: next(tubelet.read(video, **which)), "run is 1.5; it is a whole number", run=1.5)
        assert tubelet.encode_file(**encode, step=np.float32(2), memory=np.int64(1 << 30)).frames == 3
        with tubelet.open_tube(tube) as opened:
            assert opened.frame_at(np.float32(0)) == 0
            names(opened.frame_at, "seconds is nan; a time is a finite number", seconds=float("nan"))
            names(opened.time_of, "frame is 1.5; it is a whole number", frame=1.5)
            names(opened.latent, "last_step is '1'; it is a whole number", last_step="1")
            names(lambda **which: next(opened.read(**which)), "start is None; it is a whole", start=None)


def whole_numbers_may_be_those_of_a_table() -> None:
    tokenizer, latent = small(), small().encode(clip())
    for four in (np.int64(4), np.uint8(4), torch.tensor(4)):
        assert torch.equal(tokenizer.encode(clip(), channels=four), latent[:, :4])
        kept = tokenizer.encode_parts(clip(), channels={"latent": four})
        assert torch.equal(kept["latent"], latent[:, :4])
        with files() as folder, tubelet.open_tube(folder / "a.tube", channels=four) as opened:
            assert opened.latent().shape[1] == 4
    for wrong in (True, torch.tensor(4.0), np.array([4, 5])):
        names(
            tokenizer.encode,
            f"channels is {wrong!r}; this tokenizer has 1 to 12",
            video=clip(),
            channels=wrong,
        )


def lengths_and_sizes_have_a_largest() -> None:
    for frames in (0, 10**30):
        words = f"frames is {frames}; from 1 to 86400 frames are predicted"
        names(tubelet.continue_clip, words, video=clip(), frames=frames)
    for name in ("height", "width"):
        size = {"height": 17, "width": 24, name: 10**30}
        words = f"the clip is of {size['height']}x{size['width']} pixels; a side has at most 65536"
        refuses(ShapeError, words, small().stream_decoder, **size)
        refuses(ShapeError, words, discrete().stream_decoder, **size)
        refuses(ShapeError, f"{10**30}", small().decode, small().encode(clip()), **(SIZE | size))


def what_is_called_is_a_function() -> None:
    with files() as folder:
        new = {"source": folder / "a.npy", "target": folder / "b.tube", "tokenizer": "klt-4x8x8"}
        for name in ("on_total", "on_frames"):
            names(tubelet.encode_file, f"{name} is None; it is a function", **new, **{name: None})


def configurations_hold_what_a_checkpoint_can() -> None:
    def build(**numbers: object) -> object:
        return tubelet.ContinuousTokenizer.of(tubelet.KLTConfig(name="a", **numbers))

    names(build, "channels is '4'; it is a whole number", channels="4")
    names(build, "patches is (4, 8, 8); it is", patches=(4, 8, 8))
    assert build(patches=((4, 8, 8),)).stride == tubelet.Stride(4, 8, 8)
    names(build, "encoder_blocks is 1000000000; it is between 0 and 256", encoder_blocks=10**9)
    names(build, "coefficients is []; it is a list with something in it", coefficients=[])
    grid = discrete().tokenize(clip())
    facts = {"digits": grid.digits, "bases": grid.bases, "lead_frame": True, "height": 17, "width": 24}
    names(tubelet.TokenGrid, "Stride(4, 8, 8)", **facts, frames=5, stride=(4, 8, 8))
    names(tubelet.TokenGrid, "frames is '5'; it is a whole number", **facts, frames="5", stride=grid.stride)


def bases_are_a_tuple_for_each_token() -> None:
    grid = discrete().tokenize(clip())
    facts = {"lead_frame": True, "frames": 5, "height": 17, "width": 24, "stride": grid.stride}
    for wrong in (5, None, "8", (), [], (8, 5), ((),), (("8",),), ((8, 0),), ((8.0,),), {8: 5}):
        words = f"bases is {wrong!r}; it is a tuple for each token"
        names(tubelet.TokenGrid, words, digits=grid.digits, bases=wrong, **facts)
        names(digits_to_tokens, words, digits=grid.digits, bases=wrong)
        names(tokens_to_digits, words, tokens=grid.tokens, bases=wrong)
        names(DigitUsage, words, bases=wrong)
    assert tokens_to_digits(grid.tokens, [list(token) for token in grid.bases]).equal(grid.digits)


def no_argument_ends_in_an_error_of_python() -> None:
    tokenizer, tokens = small(), discrete()
    latent, grid = tokenizer.encode(clip()), tokens.tokenize(clip())
    size = {"frames": 5, "height": 17, "width": 24}
    with files() as folder:
        video, tube, made = folder / "a.npy", folder / "a.tube", iter(range(10**6))

        def new(suffix: str) -> Path:
            return folder / f"new{next(made)}{suffix}"

        def encode(**given: object) -> object:
            return tubelet.encode_file(
                **({"target": new(".tube"), "source": video, "tokenizer": "klt-4x8x8"} | given)
            )

        def decode(**given: object) -> object:
            return tubelet.decode_file(**({"target": new(".mkv"), "source": tube} | given))

        means_something_or_is_named(encode, channels=4, step=1.0, memory=1 << 30, device="cpu", force=True)
        means_something_or_is_named(encode, budget=2, contrast=0.5, two_pass=False)
        means_something_or_is_named(decode, start=0.0, end=1.0, channels=4, refine=0, device="cpu")
        means_something_or_is_named(
            lambda **given: tubelet.continue_file(video, new(".mkv"), **given), seconds=1.0, memory=1 << 30
        )
        with tubelet.open_tube(tube) as opened:
            means_something_or_is_named(lambda **which: list(opened.read(**which)), start=0, stop=1)
            means_something_or_is_named(opened.latent, first_step=0, last_step=1)
    means_something_or_is_named(tokenizer.encode_parts, video=clip(), channels={"latent": 3})
    means_something_or_is_named(tokenizer.decode, latent=latent, **size, counts=None)
    means_something_or_is_named(tubelet.continue_clip, video=clip(), frames=1)
    means_something_or_is_named(tokens.grid, tokens=grid.tokens, **size)
    means_something_or_is_named(tubelet.swap, structure=clip(), dynamics=clip())


if __name__ == "__main__":
    run(globals())
