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

from tubelet.bitstream import TubeReader
from tubelet.bitstream.container import MAGIC, RecordHead, trailer_to_bytes
from tubelet.bitstream.fields import sealed, u32
from tubelet.bitstream.index import RecordEntry, index_to_bytes
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


def read_tube(path):
    """All that a file holds, but its frames."""
    with TubeReader(path, model_for) as reader:
        for work in (
            reader.timestamps,
            lambda: reader.end,
            lambda: list(reader.audio()),
            lambda: [reader.frame_at(tick) for tick in (-5, 3000, 2**50)],
            *(
                lambda number=number: reader.read_chunk(number)
                for number in range(min(len(reader.chunks), 20))
            ),
        ):
            try:
                work()
            except TubeletError as error:
                assert len(str(error)) < 2000


def parts_of(whole):
    """The header of a file as JSON, and its records as kind, payload, steps and frames."""
    length = int.from_bytes(whole[10:14], "little")
    records = []
    at = 18 + length
    steps = iter([(2, 5), (1, 0), (3, 3)])
    while (kind := chr(whole[at])) != "I":
        size = int.from_bytes(whole[at + 1 : at + 9], "little")
        records.append((kind, whole[at + 13 : at + 13 + size], *(next(steps) if kind == "V" else (0, 0))))
        at += 13 + size
    return whole[14 : 14 + length], records


def assembled(version, header, records):
    """A file of these parts, whose checksums and index are right."""
    body = sealed(MAGIC + version.to_bytes(2, "little") + u32(len(header)) + header)
    entries = []
    for kind, payload, steps, frames in records:
        body += RecordHead(kind=kind, length=len(payload)).to_bytes() + payload
        entries.append(RecordEntry(kind=kind, length=len(payload), steps=steps, frames=frames))
    index = index_to_bytes(entries)
    return body + RecordHead(kind="I", length=len(index)).to_bytes() + index + trailer_to_bytes(len(body))


def reassembled(version, whole, draw, other):
    """A file whose parts are damaged behind checksums that are right."""
    header, records = parts_of(whole)
    if draw.random() < 0.3:
        header = mutated(header, draw, [other], JSON)
    for _ in range(draw.randrange(3)):
        at = draw.randrange(len(records))
        kind, payload, steps, frames = records[at]
        match draw.randrange(5):
            case 0:
                del records[at]
            case 1:
                records.insert(draw.randrange(len(records) + 1), records[at])
            case 2:
                draw.shuffle(records)
            case 3:  # the checksum of its head, or of all of an audio record, is made right again
                length = int.from_bytes(payload[:4], "little") if kind == "V" else len(payload) - 4
                start = 4 if kind == "V" else 0
                inner = mutated(payload[start : start + length], draw, [other], BYTES)
                head = u32(len(inner)) + inner if kind == "V" else inner
                records[at] = (kind, sealed(head) + payload[start + length + 4 :], steps, frames)
            case 4:
                records[at] = (draw.choice("VAeqZ"), payload, steps, draw.choice((frames, 0, 1, 70000)))
        if not records:
            break
    return assembled(version, header, records)


OTHERS = {"1": "2", "2": "1", "3": "3-prior", "3-prior": "3-tokens", "3-tokens": "3"}
"""Golden files by their versions, and of which each gets pieces."""


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("way", ["any byte", "behind checksums"])
def test_tubes(bear, tmp_path, name, way):
    whole, other = ((GOLDEN / f"version{each}.tube").read_bytes() for each in (name, OTHERS[name]))
    version = int(name[0])
    path = tmp_path / "damaged.tube"

    def damage(draw):
        data = (
            reassembled(version, whole, draw, other)
            if way != "any byte"
            else mutated(whole, draw, [other], BYTES)
        )
        path.write_bytes(data)

    bear(lambda: read_tube(path), damage)


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
