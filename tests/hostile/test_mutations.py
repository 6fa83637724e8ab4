"""Many damaged files of every format: each gives what is whole or an error of ours, soon, in little memory.

`pytest -o addopts=--import-mode=importlib tests/hostile/test_mutations.py --mutations 100000` tries as
many of each format, without the checks of types that take most of the time. A finding names its seed.
"""

import json
import random
import resource
import shutil
import time
import warnings
from pathlib import Path

import pytest
from grids import FACTS, make_grid
from mutate import BYTES, JSON, mutated
from numpy_model import model_for
from safetensors.torch import load_file
from tube_mutations import WAYS, Whole, damaged, wrong_of

from tubelet.checkpoint import read_continuous, read_discrete
from tubelet.codec.tokens.array import read_token_array, write_token_array
from tubelet.codec.tokens.table import TokenTable, TokenTableWriter
from tubelet.data.crops import read_index
from tubelet.errors import DamageWarning, TubeletError
from tubelet.models.table import model_from_json
from tubelet.report.read import read_results
from tubelet.tokenizers.save import fingerprint
from tubelet.train.state import TrainState, load_state, save_state
from tubelet.train.tokenizer.network import Network

GOLDEN = Path(__file__).parent.parent / "golden"
SECONDS = 10
KILOBYTES = 700_000

pytestmark = pytest.mark.slow


@pytest.fixture
def bear(request, tmp_path):
    """Damage a file again and again, and read each; anything but an error of ours is a finding."""
    count = request.config.getoption("--mutations")

    def run(read, damaged):
        findings = []
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for seed in range(count):
            damaged(random.Random(f"{request.node.name} {seed}"))
            begun = time.process_time()  # waiting for a busy machine is not a fault
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", DamageWarning)
                try:
                    read()
                except TubeletError as error:
                    if len(str(error)) > 2000:
                        findings.append(
                            (seed, f"a message of {len(str(error))}: {error!s:.200} … {str(error)[-60:]}")
                        )
                except Exception as error:  # noqa: BLE001  that is what is looked for
                    findings.append((seed, repr(error)[:300]))
            if time.process_time() - begun > SECONDS:
                findings.append((seed, f"{time.process_time() - begun:.0f} s"))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert not findings, f"{len(findings)} of {count}: {findings[:6]}"
        assert grown < KILOBYTES, f"{grown} kB"

    return run


OTHERS = {"1": "2", "2": "1", "3": "3-prior", "3-prior": "3-tokens", "3-tokens": "3"}
"""Golden files by their versions, and of which each gets pieces."""


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("way", WAYS)
def test_tubes(bear, tmp_path, name, way):
    """Golden files; `experiments/mutations.py` damages those of real priors too."""
    whole = Whole.read(GOLDEN / f"version{name}.tube", model_for)
    other = (GOLDEN / f"version{OTHERS[name]}.tube").read_bytes()
    path = tmp_path / "damaged.tube"

    def damage(draw):
        path.write_bytes(damaged(whole, other, way, draw))

    bear(lambda: check_read(path, whole, way), damage)


def check_read(path, whole, way):
    wrong = wrong_of(path, whole, path.read_bytes(), way)
    assert wrong is None, wrong


def test_arrays_of_tokens(bear, tmp_path):
    path, other = tmp_path / "clip.npz", tmp_path / "other.npz"
    write_token_array(path, make_grid(), FACTS)
    write_token_array(other, make_grid(bases=((8,) * 40,)), FACTS)
    whole, others = path.read_bytes(), [other.read_bytes()]
    bear(lambda: read_token_array(path), lambda draw: path.write_bytes(mutated(whole, draw, others, BYTES)))


def test_tables_of_tokens(bear, tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "clips.parquet"
    with TokenTableWriter(path, bases=make_grid().bases) as writer:
        for _ in range(3):
            writer.append(make_grid(), FACTS)
    whole = path.read_bytes()

    def read():
        with TokenTable(path) as table:
            list(table)

    bear(read, lambda draw: path.write_bytes(mutated(whole, draw, [whole], BYTES)))


def seal(folder, facts):
    """Let the SHA-256 be right, where the rest is."""
    try:
        config = model_from_json(facts["config"], folder)
        weights = {name: each.float() for name, each in load_file(folder / "weights.safetensors").items()}
        facts["sha256"] = fingerprint(config, weights)
        (folder / "config.json").write_text(json.dumps(facts))
    except Exception:  # noqa: BLE001  what cannot be sealed stays as it is
        pass


@pytest.mark.parametrize("kind", ["continuous", "discrete"])
@pytest.mark.parametrize("file", ["config.json", "weights.safetensors"])
def test_checkpoints(bear, tmp_path, network_folder, token_folder, kind, file):
    folder = shutil.copytree(network_folder if kind == "continuous" else token_folder, tmp_path / "made")
    reader = read_continuous if kind == "continuous" else read_discrete
    path = folder / file
    whole = path.read_bytes()
    facts = json.loads((folder / "config.json").read_text())

    def damage(draw):
        data = mutated(whole, draw, [whole], JSON)
        if path.suffix != ".json" and draw.random() < 0.5:  # in the head alone, whose length is right again
            length = int.from_bytes(whole[:8], "little")
            head = mutated(whole[8 : 8 + length], draw, [whole], JSON)
            data = len(head).to_bytes(8, "little") + head + whole[8 + length :]
        path.unlink()  # what was read before may still be mapped
        path.write_bytes(data)
        if path.suffix != ".json" and kind == "continuous" and draw.random() < 0.5:
            seal(folder, dict(facts))

    bear(lambda: reader(folder), damage)


@pytest.mark.parametrize("file", ["numbers.json", "weights"])
def test_states_of_training(bear, tmp_path, network_made, file):
    def fresh():
        network = Network.build(network_made.config, None).requires_grad_(requires_grad=True)
        return TrainState(network=network, optimizers=[])

    folder = save_state(fresh(), tmp_path)
    path = folder / file if file.endswith(".json") else next(folder.glob("*.safetensors"))
    whole = path.read_bytes()

    def damage(draw):
        path.unlink()
        path.write_bytes(mutated(whole, draw, [whole], JSON))

    bear(lambda: load_state(fresh(), folder), damage)


def test_results(bear, tmp_path):
    path = tmp_path / "results.json"
    clip = {"figures": {"psnr_db": 30.5}, "rate": {"bits_per_pixel": 0.1}, "absent": {}}
    figures = {
        "format": 1,
        "data": "x",
        "clips": {"a": {"tags": {}}},
        "systems": {"s": {"clips": {"a": clip}}},
    }
    content = {"protocol": "p", "circumstances": {"commit": None}, "figures": figures | {"measures": {}}}
    whole = json.dumps(content).encode()
    bear(lambda: read_results(path), lambda draw: path.write_bytes(mutated(whole, draw, [whole], JSON)))


def test_indexes_of_prepared_folders(bear, tmp_path, data):
    path = tmp_path / "index.json"
    whole = (data / "index.json").read_bytes()
    bear(lambda: read_index(tmp_path), lambda draw: path.write_bytes(mutated(whole, draw, [whole], JSON)))
