"""JSON that is damaged or costs more than it says, at every door that reads it: refused at once, by name."""

import time

import pytest

from tubelet.checkpoint import read_continuous
from tubelet.data.crops import read_index
from tubelet.errors import TubeletError
from tubelet.evaluate.tags import read_tags
from tubelet.report.read import read_results
from tubelet.train.state import TrainState, load_state
from tubelet.train.tokenizer.export import export_run


def config(folder, text):
    (folder / "config.json").write_text(text)
    read_continuous(folder)


def index(folder, text):
    (folder / "index.json").write_text(text)
    read_index(folder)


def results(folder, text):
    (folder / "results.json").write_text(text)
    read_results(folder)


def manifest(folder, text):
    (folder / "tags.json").write_text(text)
    read_tags(folder / "tags.json")


def run(folder, text):
    (folder / "iteration-00000001").mkdir(exist_ok=True)
    (folder / "iteration-00000001" / "numbers.json").write_text("{}")
    (folder / "run.json").write_text(text)
    export_run(folder, folder / "out")


def numbers(folder, text):
    (folder / "numbers.json").write_text(text)
    load_state(TrainState.__new__(TrainState), folder)  # the numbers are read before it is looked at


DOORS = {door.__name__: door for door in (config, index, results, manifest, run, numbers)}

TEXTS = {
    "no object": "3",
    "a list": "[1]",
    "null": "null",
    "cut short": '{"format": 1, "arch',
    "a number of any length": '{"format": ' + "9" * 5000 + "}",
    "a number beyond 64 bits": '{"format": ' + "9" * 300 + "}",
    "beyond every float": '{"format": 1, "config": 1e99999999}',
    "no number": '{"format": NaN}',
    "deep": '{"a":' * 900 + "1" + "}" * 900,
    "deeper than Python": "[" * 10**6,
    "half a character": '"\\ud800"',
    "no text": "\x00\x01",
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_json_that_is_none_of_ours_is_refused_by_name(tmp_path, door, text):
    begun = time.perf_counter()
    with pytest.raises(TubeletError) as caught:
        DOORS[door](tmp_path, text)
    assert len(str(caught.value)) < 1000
    assert time.perf_counter() - begun < 2
