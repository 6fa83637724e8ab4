"""What can be timed, and how a worker answers; in this process."""

import json
from importlib.util import find_spec

import pytest
import torch
from second_device import second_device

from tubelet.checkpoint import load
from tubelet.errors import CheckpointError, OptionError
from tubelet.evaluate.cases import AbsentError, Case, Size
from tubelet.evaluate.picture import Picture
from tubelet.evaluate.speed.grid import Variant
from tubelet.evaluate.speed.worker import Service, setting_for
from tubelet.evaluate.speed.worker import answers as answered
from tubelet.evaluate.systems.opening import open_system
from tubelet.evaluate.systems.system import System
from tubelet.evaluate.systems.timing import Times, Timing
from tubelet.interop.tiny import tiny_model

SIZE = Size(28, 20)
WARM = json.dumps({"do": "warm", "width": 28, "height": 20, "frames": 6})
ROUND = json.dumps({"do": "round", "least_seconds": 0.0})

needs_diffusers = pytest.mark.skipif(find_spec("diffusers") is None, reason="diffusers is an extra")


@pytest.fixture(scope="module")
def rival_folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("rival") / "vae"
    tiny_model("Wan 2.1").save_pretrained(path)
    return path


def open_variant(text: object, number_format: str = "float32", mode: str = "eager") -> System:
    variant = Variant(str(text), number_format, mode)
    return open_system(variant.system, setting_for(variant, device="cpu"))


def opened(text: object, number_format: str = "float32", mode: str = "eager") -> Timing:
    return open_variant(text, number_format, mode).timing


def answers(text: object, *requests: str) -> list[dict]:
    return [
        json.loads(line) for line in answered(Variant(str(text), "float32", "eager"), requests, device="cpu")
    ]


def check_on_another_device(text: str, number_format: str) -> None:
    with second_device() as device:
        variant = Variant(text, number_format, "eager")
        timing = open_system(text, setting_for(variant, device=str(device))).timing
        assert timing.device == device
        with torch.no_grad():
            assert min(timing.prepare(Case(size=SIZE, frames=6))()) > 0


@pytest.mark.parametrize("frames", [1, 2, 5, 7])
def test_a_stream_gives_every_frame_back_and_its_first_one_early(network_folder, frames):
    timing = opened(f"{network_folder}@5")
    times = timing.prepare(Case(size=SIZE, frames=frames))()
    assert timing.in_streams and timing.about["first_frame_after_frames"] == 1
    assert timing.about["channels"] == 5
    assert 0 < times.first_frame <= times.both
    assert (times.first_frame < times.both) == (frames > 1)


def test_without_a_lead_frame_a_whole_group_comes_first(make_tokenizer, make_folder):
    folder = make_folder(make_tokenizer(lead_frame=False))
    assert opened(folder).about["first_frame_after_frames"] == 4


def test_a_stream_keeps_no_more_than_a_group(network_folder, monkeypatch):
    made = []
    picture = Picture.frames
    monkeypatch.setattr(Picture, "frames", lambda self, a, b: made.append((a, b)) or picture(self, a, b))
    opened(network_folder).prepare(Case(size=SIZE, frames=11))()
    assert made == [(0, 1), (1, 5), (5, 9), (9, 11)]


@pytest.mark.parametrize("way", ["", ":way=stream", ":way=whole"])
def test_tokens_are_timed_too(token_folder, way):
    timing = opened(f"{token_folder}{way}")
    assert timing.in_streams == (way != ":way=whole")
    assert min(timing.prepare(Case(size=SIZE, frames=6))()) > 0


def test_a_whole_clip_has_its_first_frame_when_all_is_done(network_folder):
    timing = opened(f"{network_folder}@5:way=whole")
    times = timing.prepare(Case(size=SIZE, frames=6))()
    assert times.first_frame == times.both
    assert timing.about["first_frame_after_frames"] is None


def test_networks_compute_in_the_format_that_is_asked_for(network_folder):
    system = open_variant(network_folder, "bfloat16")
    tokenizer = system.checkpoint.tokenizer
    assert tokenizer.model.decoder is not None
    assert {weights.dtype for weights in tokenizer.model.decoder.parameters()} == {torch.bfloat16}
    assert tokenizer.dtype == torch.float32
    assert min(system.timing.prepare(Case(size=SIZE, frames=5))()) > 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch's compiler about itself
def test_only_networks_are_compiled(network_folder):
    tokenizer = open_variant(network_folder, mode="compiled").checkpoint.tokenizer
    parts = (tokenizer.model.encoder, tokenizer.model.decoder)
    assert all(part._compiled_call_impl is not None for part in parts)


@pytest.mark.parametrize(("number_format", "mode"), [("bfloat16", "eager"), ("float32", "compiled")])
def test_what_is_linear_has_one_way_only(small_folder, number_format, mode):
    with pytest.raises(AbsentError, match="linear"):
        opened(small_folder, number_format, mode)


def test_operations_are_those_that_the_tokenizer_counts(network_folder):
    cost = opened(network_folder).cost()
    assert cost is not None
    assert cost.mflop_per_pixel == load(network_folder).flops_per_pixel() / 1e6


@pytest.mark.parametrize(
    "text", ["", "klt-4x8x8:step=1", "klt-4x8x8:way=back", "klt-4x8x8@0", "x264:crf=99", "diffusers:"]
)
def test_texts_without_meaning_are_refused(text):
    with pytest.raises(OptionError):
        opened(text)


def test_tokens_have_no_channels_to_choose(token_folder):
    with pytest.raises(OptionError, match="discrete"):
        opened(f"{token_folder}@2")


def test_what_does_not_exist_is_named():
    with pytest.raises(CheckpointError, match="no-such"):
        opened("no-such-tokenizer")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named(small_folder):
    with pytest.raises(OptionError, match="no GPU"):
        variant = Variant(str(small_folder), "float32", "eager")
        open_system(variant.system, setting_for(variant, device="cuda"))


def test_a_codec_is_timed_and_not_counted():
    variant = Variant("x264:crf=28,preset=ultrafast", None, None)
    timing = open_system(variant.system, setting_for(variant, device="cuda")).timing
    assert min(timing.prepare(Case(size=SIZE, frames=5))()) > 0
    assert timing.cost() is None
    assert timing.about["kind"] == "codec"


@pytest.mark.parametrize("way", ["stream", "whole"])
@pytest.mark.parametrize(
    ("kind", "number_format"),
    [("network_folder", "float32"), ("network_folder", "bfloat16"), ("token_folder", "float32")],
)
def test_ours_are_timed_on_the_device_that_is_asked_for(request, kind, number_format, way):
    check_on_another_device(f"{request.getfixturevalue(kind)}:way={way}", number_format)


@needs_diffusers
@pytest.mark.parametrize("number_format", ["float32", "bfloat16"])
def test_others_are_timed_on_the_device_that_is_asked_for(rival_folder, number_format):
    check_on_another_device(f"diffusers:{rival_folder}", number_format)


@needs_diffusers
@pytest.mark.parametrize("number_format", ["float32", "bfloat16"])
def test_autoencoders_of_others_take_clips_of_any_length(rival_folder, number_format):
    timing = opened(f"diffusers:{rival_folder},tiling=true", number_format)
    assert timing.about["tiling"] and timing.about["weights"] == "its own"
    with torch.inference_mode():
        assert min(timing.prepare(Case(size=SIZE, frames=6))()) > 0


@needs_diffusers
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_operations_of_others_are_counted(rival_folder, monkeypatch):
    monkeypatch.setattr("tubelet.evaluate.systems.diffusers._COUNTED", (5, 16, 16))
    plain, compiled = (opened(f"diffusers:{rival_folder}", mode=mode) for mode in ("eager", "compiled"))
    cost = plain.cost()
    assert cost is not None and cost.mflop_per_pixel > 0
    assert cost.counted == "by PyTorch, on 5 frames of 16x16"
    assert compiled.cost() == cost


@needs_diffusers
def test_a_class_alone_has_random_weights_that_are_the_same_each_time():
    one, two = (open_variant("diffusers:AutoencoderTiny") for _ in range(2))
    assert one.timing.about["weights"] == "random"
    assert one.timing.about["million_numbers"] == pytest.approx(2.4, abs=0.1)
    tensors = [each.tokenizer.model.state_dict() for each in (one, two)]
    assert all(torch.equal(value, tensors[1][name]) for name, value in tensors[0].items())


@needs_diffusers
def test_a_class_that_cannot_be_built_is_absent(monkeypatch):
    diffusers = pytest.importorskip("diffusers")

    def broken() -> None:
        raise TypeError("no defaults")

    monkeypatch.setattr(diffusers, "AutoencoderTiny", broken)
    with pytest.raises(AbsentError, match=r"AutoencoderTiny .* no defaults"):
        opened("diffusers:AutoencoderTiny")


def test_a_worker_answers_every_line(small_folder):
    first, warm, timed, cost = answers(small_folder, WARM, ROUND, json.dumps({"do": "cost"}))
    assert first["in_streams"] and first["facts"]["memory"] == "resident set of the process"
    assert warm.keys() == {"seconds", "before_mib"}
    assert timed.keys() == {*Times._fields, "peak_mib"}
    assert timed["peak_mib"] >= warm["before_mib"] > 10
    assert cost.keys() == {"mflop_per_pixel", "counted"}


def test_a_worker_goes_on_after_what_it_cannot_do(small_folder):
    huge = json.dumps({"do": "warm", "width": 28, "height": 20, "frames": 0})
    _, early, wrong, warm, timed = answers(small_folder, ROUND, huge, WARM, ROUND)
    assert "cannot be answered" in early["absent"]
    assert "absent" in wrong
    assert "seconds" in warm and "encode" in timed


def test_a_worker_says_why_it_cannot_start(small_folder):
    assert answers("no-such-tokenizer", WARM)[0].keys() == {"refused"}
    (only,) = answered(Variant(str(small_folder), "bfloat16", "eager"), [WARM], device="cpu")
    assert "linear" in json.loads(only)["absent"]


@pytest.mark.parametrize(("least", "times"), [(0.0, 1), (0.29, 1), (0.5, 2), (1.0, 4)])
def test_a_round_lasts_as_long_as_it_is_told(least, times):
    done: list[Times] = []

    def work() -> Times:
        done.append(Times(encode=0.2, decode=0.1, first_frame=0.05))
        return done[-1]

    timing = Timing(
        device=torch.device("cpu"), in_streams=True, about={}, prepare=lambda case: work, cost=lambda: None
    )
    service = Service(timing, compiled=False)
    service.answer(json.loads(WARM))
    done.clear()
    medians = service.answer({"do": "round", "least_seconds": least})
    assert len(done) == times
    assert (medians["encode"], medians["decode"], medians["first_frame"]) == (0.2, 0.1, 0.05)
