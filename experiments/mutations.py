"""Damages small `.tube` files of version 3 again and again, and says what is read wrong.

    python experiments/mutations.py FOLDER [--count 100000] [--kinds prior budget ...] [--again]

FOLDER takes the files and a journal, from which a later run goes on. Each damaged file has ten
seconds of CPU and a gibibyte. Findings are whatever is raised but errors of tubelet, a message that is
endless or lacks the name of the file, a chunk that is read wrong, and damage that nobody notices. What a
damaged file is follows from its kind, way and number. One that ends the process is a finding of the next run.
"""

import argparse
import contextlib
import json
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent.parent / "tests"
sys.path += [str(TESTS / "hostile"), str(TESTS / "golden")]

import numpy as np  # noqa: E402  the folders of the tests come first
from numpy_model import (  # noqa: E402
    model_for as toy_model_for,
)
from tube_mutations import (  # noqa: E402
    WAYS,
    Whole,
    damaged,
    wrong_of,
)

from tubelet.bitstream import Chunk, PartSymbols, TubeReader, TubeWriter  # noqa: E402
from tubelet.bitstream.ending import usual_end  # noqa: E402
from tubelet.codec.budget import Quality  # noqa: E402
from tubelet.codec.encode import encode_file  # noqa: E402
from tubelet.codec.models import models_of  # noqa: E402
from tubelet.codec.tokens.tokenize import tokenize_file  # noqa: E402
from tubelet.priors.files import model_for  # noqa: E402

SECONDS = 10
GIBIBYTE = 1 << 30
SLICE = 500
"""Damaged files of a kind and way, before the next has its turn."""

MEMORY = Path("/dev/shm")

GOLDEN = {"parts": "version3", "toy prior": "version3-prior", "toy tokens": "version3-tokens"}
"""Golden files by kind; their prior is the toy of the tests."""

MADE: dict[str, Callable[..., object]] = {
    "tables": partial(encode_file, tokenizer="tubelet-m", channels=8, budget=3, prior=False),
    "prior": partial(encode_file, tokenizer="tubelet-m", channels=8),
    "budget": partial(encode_file, tokenizer="tubelet-m", budget=Quality(level=25)),
    "motion": partial(encode_file, tokenizer="klt-4x8x8-motion", channels=8),
    "tokens": partial(tokenize_file, tokenizer="tubelet-fsq"),
}
"""What makes a file of each other kind, with the priors that ship."""

KINDS = (*GOLDEN, *MADE)


def main() -> None:
    """Read damaged files until each kind had as many as asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of the files and the journal")
    parser.add_argument("--count", type=int, default=100_000, help="of each kind and way")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument(
        "--again", action="store_true", help="read what was found once more, and nothing else"
    )
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    wholes = {kind: whole_of(kind, arguments.folder) for kind in arguments.kinds}
    journal = Journal(arguments.folder)
    most = bytes_mapped() + GIBIBYTE
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    signal.signal(signal.SIGPROF, out_of_time)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        attempt = Attempt(wholes, Path(folder) / "damaged.tube")
        if arguments.again:
            findings = [(kind, way, number) for kind, way, number, _ in journal.findings if kind in wholes]
            for kind, way, number in findings:
                print(kind, way, number, attempt(kind, way, number) or "nothing wrong", flush=True)
            return
        while turns := [(k, w) for k in wholes for w in WAYS if journal.done(k, w) < arguments.count]:
            for kind, way in turns:
                journal.run(attempt, kind, way, min(SLICE, arguments.count - journal.done(kind, way)))
    print(f"{len(journal.findings)} findings")


class Attempt:
    """Reads one damaged file after the other.

    Args:
        wholes: files without damage, by kind.
        path: of the damaged one.
    """

    def __init__(self, wholes: dict[str, Whole], path: Path) -> None:
        self._wholes, self._path = wholes, path
        kinds = list(wholes)
        self._others = {kind: wholes[kinds[n - 1]].data for n, kind in enumerate(kinds)}

    def __call__(self, kind: str, way: str, number: int) -> str | None:
        """What is wrong with how number so and so was read, if anything is."""
        whole = self._wholes[kind]
        data = damaged(whole, self._others[kind], way, random.Random(f"{kind} {way} {number}"))
        self._path.write_bytes(data)
        try:
            with cpu_seconds(SECONDS):
                return wrong_of(self._path, whole, data, way)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  that is what is looked for; panics of Rust are no Exception
            return repr(error)[:300]


class Journal:
    """How many were read, and what was found, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._path, self._at = folder / "journal.json", folder / "at.json"
        self._facts: dict[str, Any] = {"done": {}, "cpu_seconds": {}, "findings": []}
        if self._path.exists():
            self._facts = json.loads(self._path.read_text())
        if self._at.exists():  # the process ended while this one was read
            kind, way, number = json.loads(self._at.read_text())
            self._note(kind, way, number, "the process ended")
            self._facts["done"][f"{kind}, {way}"] = number + 1
            self._save()

    @property
    def findings(self) -> list[tuple[str, str, int, str]]:
        """Kind, way, number, and what is wrong."""
        return [tuple(each) for each in self._facts["findings"]]

    def done(self, kind: str, way: str) -> int:
        """How many were read of a kind and way."""
        return self._facts["done"].get(f"{kind}, {way}", 0)

    def run(self, attempt: Attempt, kind: str, way: str, count: int) -> None:
        """Read the next ones."""
        began, first = time.process_time(), self.done(kind, way)
        with self._at.open("w") as at:
            for number in range(first, first + count):
                at.seek(0)
                at.write(json.dumps([kind, way, number]) + " ")
                at.flush()
                if wrong := attempt(kind, way, number):
                    self._note(kind, way, number, wrong)
        name = f"{kind}, {way}"
        taken = self._facts["cpu_seconds"].get(name, 0.0) + time.process_time() - began
        self._facts["cpu_seconds"][name] = round(taken, 2)
        self._facts["done"][name] = first + count
        self._save()
        print(f"{name}: {first + count} in {taken:.0f} s of CPU", flush=True)

    def _note(self, kind: str, way: str, number: int, wrong: str) -> None:
        self._facts["findings"].append([kind, way, number, wrong])
        print(f"FOUND {kind}, {way}, {number}: {wrong}", flush=True)

    def _save(self) -> None:
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(self._facts, indent=1))
        beside.replace(self._path)
        self._at.unlink(missing_ok=True)


class OutOfTimeError(BaseException):
    """A damaged file takes too long."""


def out_of_time(_signal: int, _frame: object) -> None:
    """Stop what goes on."""
    raise OutOfTimeError(f"more than {SECONDS} s of CPU")


@contextlib.contextmanager
def cpu_seconds(most: float) -> Iterator[None]:
    """Raise if what goes on inside takes longer; waiting for a busy machine is not a fault."""
    signal.setitimer(signal.ITIMER_PROF, most)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def bytes_mapped() -> int:
    """Address space of this process."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    return 4 * GIBIBYTE


def whole_of(kind: str, folder: Path) -> Whole:
    """The file of a kind; made if it is not there."""
    path = folder / f"{kind}.tube"
    if kind in GOLDEN:
        shutil.copyfile(TESTS / "golden" / f"{GOLDEN[kind]}.tube", path)
        return Whole.read(path, toy_model_for)
    if not path.exists():
        with tempfile.TemporaryDirectory() as beside:
            source, made = Path(beside) / "clip.npy", Path(beside) / "made.tube"
            np.save(source, clip(), allow_pickle=False)
            MADE[kind](source, made)
            in_two_chunks(made, path)
    return Whole.read(path, model_for)


def clip() -> np.ndarray:
    """Nine frames of 16 x 24 pixels in which something moves."""
    draw = np.random.default_rng(0)
    ground = draw.integers(60, 180, (4, 6, 3)).repeat(4, 0).repeat(4, 1)
    frames = np.repeat(ground[None], 9, axis=0)
    for number, frame in enumerate(frames):
        frame[4:10, 2 * number : 2 * number + 6] = (230, 40, 90)
    return (frames + draw.integers(-3, 4, frames.shape)).clip(0, 255).astype(np.uint8)


def in_two_chunks(source: Path, target: Path) -> None:
    """Write the only chunk of a file as two."""
    with TubeReader(source, model_for) as reader:
        header, chunk, end = reader.header, reader.read_chunk(0), reader.end
        steps = reader.chunks[0].steps
    header = replace(header, version=3)
    first = 1 + steps // 2
    frames = (first - 1) * header.stride[0] + 1
    with TubeWriter(target, header, models=models_of(header)) as writer:
        for start, stop, begin, until in ((0, first, 0, frames), (first, steps, frames, None)):
            parts = tuple(
                some_steps(one, slice(header.part_steps(part, 0, start), header.part_steps(part, 0, stop)))
                for one, part in zip(chunk.parts, header.parts, strict=True)
            )
            writer.write_chunk(
                Chunk(
                    number=int(start > 0),
                    first_step=start,
                    first_frame=begin,
                    timestamps=chunk.timestamps[begin:until],
                    parts=parts,
                )
            )
        if end is not None and end != usual_end(chunk.timestamps[-2:].tolist()):
            writer.write_end(end)


def some_steps(part: PartSymbols, steps: slice) -> PartSymbols:
    """Some latent steps of a part."""
    counts = None if part.counts is None else part.counts[steps]
    return PartSymbols(symbols=part.symbols[:, steps], counts=counts)


if __name__ == "__main__":
    main()
