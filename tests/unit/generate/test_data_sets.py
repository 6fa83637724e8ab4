"""Generators of all kinds are trained on what `tubelet encode-dataset` wrote, with its captions."""

import json
import warnings
from fractions import Fraction

import numpy as np
import pytest

from tubelet.checkpoint import read_discrete
from tubelet.errors import OptionError, TubeletWarning
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
from tubelet.jobs.sources import read_sources
from tubelet.train.loop import RunOptions
from tubelet.video.read import read
from tubelet.video.write import Writer

CLIPS = {"a": "a red circle moves left", "b": None, "c": "a blue square moves up", "d": "a red square"}


@pytest.fixture
def listed(tmp_path):
    """A list of four clips, three with captions: one is longer than the others, one wider."""
    random = np.random.default_rng(0)
    lines = []
    for name, caption in CLIPS.items():
        frames, width = 13 if name == "c" else 9, 48 if name == "d" else 32
        with Writer(tmp_path / f"{name}.mkv", width=width, height=32, time_base=Fraction(1, 12)) as writer:
            writer.write(random.integers(0, 256, (frames, 32, width, 3), dtype=np.uint8), np.arange(frames))
        lines.append({"path": f"{name}.mkv"} | ({} if caption is None else {"caption": caption}))
    path = tmp_path / "list.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def encoded(listed, tmp_path, monkeypatch):
    """Encode the list with a tokenizer, in the process of the test."""

    def answered(requests, _module, arguments, **_):
        settings = BulkSettings.from_json(json.loads(arguments[0]))
        worker = Worker(settings, read_checkpoint(settings))
        for request in requests:
            yield Answered(request, worker.do(request))

    monkeypatch.setattr(run, "answered", answered)

    def make(tokenizer):
        settings = BulkSettings(tokenizer=tokenizer)
        clips = plan_clips(read_sources([str(listed)]), mirror=False)
        run.encode_dataset(BulkEncoding(clips=clips, folder=tmp_path / "data", settings=settings))
        return tmp_path / "data"

    return make


def quietly(function, *given, **further):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*clips are left out")
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
    with pytest.warns(TubeletWarning, match=r"clips? are left out, because the first one is of shape 2x"):
        found = encode_digits(discrete_folder, clips, tmp_path, on_clip=lambda *_: None)
    assert 1 <= len(found.captions) < 3


def test_latents_of_a_data_set_are_those_it_stores(encoded, tokenizer_folder, tmp_path):
    clips = DataSetClips(encoded(tokenizer_folder))
    found = quietly(encode_latents, tokenizer_folder, clips, tmp_path, on_clip=lambda *_: None)
    assert found.values.shape[1] == 4
    assert found.values.shape[3] == 4


def test_another_tokenizer_is_refused(encoded, tokenizer_folder, discrete_folder, tmp_path):
    clips = DataSetClips(encoded(tokenizer_folder))
    with pytest.raises(OptionError, match="was made with tiny, another tokenizer than tokens; name that one"):
        encode_digits(discrete_folder, clips, tmp_path, on_clip=lambda *_: None)


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
    assert "a data set of 1 shards" in (tmp_path / "mine" / "card.md").read_text()
