"""Generators of all kinds are trained on what `tubelet encode-dataset` wrote, with its captions."""

import json
import warnings
from fractions import Fraction

import numpy as np
import pytest

from tubelet.checkpoint import read_discrete
from tubelet.errors import OptionError, OutputError, TubeletWarning
from tubelet.files import locked
from tubelet.generate.captioned import encode_digits, encode_latents
from tubelet.generate.checkpoint import read_generator
from tubelet.generate.data_sets import DataSetClips, is_data_set
from tubelet.generate.dit.task import train_dit
from tubelet.generate.dit.train_config import DiTTrainConfig
from tubelet.generate.export import export_generator
from tubelet.generate.files import Request, generate_frames
from tubelet.generate.tokens.task import train_tokens
from tubelet.generate.tokens.train_config import TokenTrainConfig
from tubelet.jobs.bulk import run
from tubelet.jobs.bulk.bulk import BulkEncoding
from tubelet.jobs.bulk.plan import plan_clips
from tubelet.jobs.bulk.processes import Answered
from tubelet.jobs.bulk.settings import BulkSettings, read_checkpoint
from tubelet.jobs.bulk.worker import Worker
from tubelet.jobs.sources import Row, read_sources
from tubelet.train.loop import RunOptions
from tubelet.video.read import read
from tubelet.video.write import Writer

CLIPS = {"a": "a red circle moves left", "b": None, "c": "a blue square moves up", "d": "a red square"}


def write_list(folder, clips):
    """A list of clips of noise with captions, each of frames, width and rate."""
    random, lines = np.random.default_rng(0), []
    for name, (caption, frames, width, rate) in clips.items():
        path = folder / f"{name}.mkv"
        with Writer(path, width=width, height=32, time_base=1 / rate) as writer:
            writer.write(random.integers(0, 256, (frames, 32, width, 3), dtype=np.uint8), np.arange(frames))
        lines.append({"path": path.name} | ({} if caption is None else {"caption": caption}))
    path = folder / "list.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


@pytest.fixture
def listed(tmp_path):
    """A list of four clips, three with captions: one is longer than the others, one wider."""
    lengths, widths = {"c": 13}, {"d": 48}
    clips = {
        name: (caption, lengths.get(name, 9), widths.get(name, 32), Fraction(12))
        for name, caption in CLIPS.items()
    }
    write_list(tmp_path, clips)
    return tmp_path / "list.jsonl"


@pytest.fixture
def encode_list(tmp_path, monkeypatch):
    """Encode a list with a tokenizer, in the process of the test."""

    def answered(requests, _module, arguments, **_):
        settings = BulkSettings.from_json(json.loads(arguments[0]))
        worker = Worker(settings, read_checkpoint(settings))
        for request in requests:
            yield Answered(request, worker.do(request))

    monkeypatch.setattr(run, "answered", answered)

    def make(tokenizer):
        settings = BulkSettings(tokenizer=tokenizer)
        clips = plan_clips(read_sources([str(tmp_path / "list.jsonl")]), mirror=False)
        run.encode_dataset(BulkEncoding(clips=clips, folder=tmp_path / "data", settings=settings))
        return tmp_path / "data"

    return make


@pytest.fixture
def encoded(listed, encode_list):
    """Encode the list of four clips with a tokenizer."""
    return encode_list


def quietly(function, *given, **further):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* left out")
        return function(*given, **further)


def test_digits_and_captions_are_those_of_the_clips(encoded, discrete_folder, tmp_path):
    folder = encoded(discrete_folder)
    assert is_data_set(folder)
    clips = DataSetClips(folder)
    assert (len(clips), clips.fps) == (4, 12.0)
    found = quietly(encode_digits, discrete_folder, clips, tmp_path, on_clip=lambda *_: None)
    tokenizer = read_discrete(discrete_folder).tokenizer
    for digits, caption in zip(found.values, found.captions, strict=True):
        (name,) = (name for name, text in CLIPS.items() if text == caption)
        stream = tokenizer.stream_encoder()
        own = [stream.push_frames(each.frames) for each in read(tmp_path / f"{name}.mkv")]
        own = np.concatenate([each.numpy() for each in (*own, stream.finish())], axis=2)
        assert np.array_equal(digits, own[0, :, : digits.shape[1]]), name
    assert None not in found.captions


def test_clips_of_other_shapes_are_left_out_and_said(encoded, discrete_folder, tmp_path):
    clips = DataSetClips(encoded(discrete_folder))
    with pytest.warns(TubeletWarning, match="1 clip is left out, because most are of shape 2x") as warned:
        found = encode_digits(discrete_folder, clips, tmp_path, on_clip=lambda *_: None)
    assert len(found.captions) == 2
    assert "of shape 2x3x4x6" in str(warned[0].message)


def test_a_short_rest_of_a_video_decides_no_shape(encode_list, tokenizer_folder, tmp_path):
    # A video that is cut into ranges has a last one that is shorter, and keys decide which clip is the first.
    (first, *_) = plan_clips([Row(f"{name}.mkv", name) for name in "abc"], mirror=False)
    lengths = {name: 1 if name == first.source.path else 9 for name in "abc"}
    write_list(tmp_path, {name: ("a circle", length, 32, Fraction(12)) for name, length in lengths.items()})
    clips = DataSetClips(encode_list(tokenizer_folder))
    found = quietly(encode_latents, tokenizer_folder, clips, tmp_path, on_clip=lambda *_: None)
    assert found.values.shape[:3] == (2, 4, 3)


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(25, 2), Fraction(60)])
def test_the_rate_of_clips_may_be_a_fraction(encode_list, tokenizer_folder, tmp_path, rate):
    write_list(tmp_path, {"a": ("a red circle", 5, 32, rate)})
    assert DataSetClips(encode_list(tokenizer_folder)).fps == pytest.approx(float(rate))


def test_latents_of_a_data_set_are_those_it_stores(encoded, tokenizer_folder, tmp_path):
    clips = DataSetClips(encoded(tokenizer_folder))
    found = quietly(encode_latents, tokenizer_folder, clips, tmp_path, on_clip=lambda *_: None)
    assert found.values.shape[1] == 4
    assert found.values.shape[3] == 4


def test_another_tokenizer_is_refused(encoded, tokenizer_folder, discrete_folder, tmp_path):
    clips = DataSetClips(encoded(tokenizer_folder))
    with pytest.raises(OptionError, match="was made with tiny, another tokenizer than tokens; name that one"):
        encode_digits(discrete_folder, clips, tmp_path, on_clip=lambda *_: None)


def test_a_second_run_in_a_folder_writes_over_no_clip_of_the_first(encoded, tokenizer_folder, tmp_path):
    data, run_folder = encoded(tokenizer_folder), tmp_path / "run"
    run_folder.mkdir()
    (run_folder / "latents.npy").write_bytes(b"mapped by another run")
    config = DiTTrainConfig(tokenizer=tokenizer_folder, width=32, blocks=1, heads=2, iterations=2)
    with locked(run_folder), pytest.raises(OutputError, match="is in use by process"):
        quietly(train_dit, config, data=data, options=RunOptions(folder=run_folder))
    (run_folder / "run.json").write_text("{}")
    with pytest.raises(OptionError, match="holds a run; --resume goes on with it"):
        quietly(train_dit, config, data=data, options=RunOptions(folder=run_folder))
    assert (run_folder / "latents.npy").read_bytes() == b"mapped by another run"


@pytest.mark.parametrize("kind", ["dit", "masked", "autoregressive"])
def test_a_data_set_becomes_a_generator(encoded, kind, tokenizer_folder, discrete_folder, tmp_path):
    tokenizer = tokenizer_folder if kind == "dit" else discrete_folder
    data, options = encoded(tokenizer), RunOptions(folder=tmp_path / "run")
    numbers = {"tokenizer": tokenizer, "width": 32, "blocks": 1, "heads": 2, "iterations": 2}
    if kind == "dit":
        quietly(train_dit, DiTTrainConfig(**numbers), data=data, options=options)
    else:
        quietly(train_tokens, TokenTrainConfig(order=kind, **numbers), data=data, options=options)
    model = read_generator(export_generator(tmp_path / "run", tmp_path / "mine"))
    assert model.network.config.fps == 12.0
    assert set(model.network.config.words) <= {"red", "circle", "left", "blue", "square", "up"}
    prompt = model.network.config.words[0]
    frames = np.concatenate(list(generate_frames(Request(prompt=prompt, frames=6), model=model)))
    assert frames.shape[:2] == (6, 32)
    assert "a data set of 1 shard" in (tmp_path / "mine" / "card.md").read_text()
