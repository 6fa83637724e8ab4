"""A data set that is encoded in the process of the test."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from bulk_records import StoppedError

from tubelet.jobs.bulk import run
from tubelet.jobs.bulk.bulk import BulkEncoding, BulkReport
from tubelet.jobs.bulk.plan import plan_clips
from tubelet.jobs.bulk.processes import Answered
from tubelet.jobs.bulk.settings import BulkSettings, read_checkpoint
from tubelet.jobs.bulk.worker import Worker
from tubelet.jobs.sources import read_sources


class Here:
    """Does in this process what several would do; may end after so many clips, as if it were killed.

    Attributes:
        encoded: names of the sources that were encoded, in the order in which that was done.
        most: clips after which it ends; none for all.
    """

    def __init__(self) -> None:
        self.encoded: list[str] = []
        self.most: int | None = None

    def answered(self, requests, _module, arguments, **_) -> Iterator[Answered]:
        settings = BulkSettings.from_json(json.loads(arguments[0]))
        worker = Worker(settings, read_checkpoint(settings))
        for request in requests:
            if self.most is not None and len(self.encoded) >= self.most:
                raise StoppedError
            self.encoded += [each["clip"]["source"][0] for each in request.get("batch", [request])]
            yield from Answered.each(request, worker.do(request))


@pytest.fixture
def here(monkeypatch) -> Here:
    there = Here()
    monkeypatch.setattr(run, "answered", there.answered)
    return there


@pytest.fixture
def encode(here, small_folder, tmp_path):
    """Encode sources into a data set of this name; settings and the like by their names."""

    def make(*sources: object, to: str = "out", **options) -> BulkReport:
        names = set(BulkEncoding.__dataclass_fields__)
        given = {name: options.pop(name) for name in names & set(options)}
        settings = BulkSettings(**({"tokenizer": str(small_folder)} | options))
        clips = plan_clips(read_sources([str(each) for each in sources]), mirror=settings.mirror)
        here.encoded.clear()
        return run.encode_dataset(BulkEncoding(clips=clips, folder=tmp_path / to, settings=settings, **given))

    return make


@pytest.fixture
def clips(video_file, tmp_path):
    """A folder of six small clips, no two alike."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(6):
        video_file(f"clips/{number}.mkv", frames=5 + number)
    return folder


@pytest.fixture
def files():
    """All files of a folder, with their bytes."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return read
