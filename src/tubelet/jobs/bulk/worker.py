"""What encodes clips, as a process: `python -m tubelet.jobs.bulk.worker SETTINGS SHA256 THREADS COPIES`."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, final

from tubelet.errors import CheckpointError, OutputError
from tubelet.jobs.bulk.encode_batch import encode_clips
from tubelet.jobs.bulk.encode_clip import EncodedClip
from tubelet.jobs.bulk.parts import ClipPart, write_part
from tubelet.jobs.bulk.plan import PlannedClip
from tubelet.jobs.bulk.settings import AnyCheckpoint, BulkSettings, read_checkpoint
from tubelet.jobs.failures import reason_of
from tubelet.jobs.identity import Digests
from tubelet.jobs.remote import LocalCopies
from tubelet.jobs.serving import serve, use_threads


@final
class Worker:
    """Encodes clips; holds the tokenizer.

    Args:
        settings: how.
        checkpoint: the tokenizer.
        copies: folder of the copies of remote sources; see `LocalCopies`.
    """

    def __init__(
        self, settings: BulkSettings, checkpoint: AnyCheckpoint, *, copies: Path | None = None
    ) -> None:
        self._settings = settings
        self._checkpoint = checkpoint
        self._copies = LocalCopies(folder=copies)
        self._digests = Digests(self._copies)

    def do(self, request: dict[str, Any]) -> dict[str, Any]:
        """Encode a clip and write its part, or do so for several; each has its part as soon as it is done.

        Args:
            request: ``clip``, as `PlannedClip.to_json` gave it; ``part``, where it goes; ``made_from``. Or
                ``batch``, several of these.

        Returns:
            ``frames`` and ``pixels``; or ``failed``, the reason why there is no part. Or ``batch``, several
            of these.

        Raises:
            OutputError: a part cannot be written.
        """
        requests = request.get("batch", [request])
        clips = [PlannedClip.from_json(each["clip"]) for each in requests]
        found = encode_clips(clips, self._checkpoint, self._settings, self._digests, self._copies)
        by_place = {place: _written(requests[place], done) for place, done in found}
        answers = [by_place[place] for place in range(len(requests))]
        return {"batch": answers} if "batch" in request else answers[0]


def _written(request: dict[str, Any], done: EncodedClip | Exception) -> dict[str, Any]:
    """Write the part of a clip, and say what became of it.

    Raises:
        OutputError: the part cannot be written.
    """
    if isinstance(done, OutputError):
        raise done
    if isinstance(done, Exception):
        return {"failed": reason_of(done)}
    part = ClipPart(done.record, done.source.signature)
    write_part(Path(request["part"]), part, made_from=request["made_from"])
    return {"frames": done.frames, "pixels": done.pixels}


def _answers(worker: Worker, lines: Iterator[str]) -> Iterator[str]:
    """Say that the worker is ready, do the request of each line, and answer it."""
    yield json.dumps({})
    for line in lines:
        try:
            yield json.dumps(worker.do(json.loads(line)))
        except OutputError as error:
            yield json.dumps({"no_output": str(error)})


def open_worker(arguments: Sequence[str]) -> Worker:
    """What encodes, whoever leads it.

    Args:
        arguments: the settings as JSON, the tokenizer's fingerprint, the number of threads, and the folder of
            copies, which may be empty.

    Raises:
        CheckpointError: the tokenizer is unknown, damaged, or has another fingerprint.
    """
    settings, sha256, threads, copies = arguments
    use_threads(int(threads))
    found = BulkSettings.from_json(json.loads(settings))
    checkpoint = read_checkpoint(found)
    if checkpoint.sha256 != sha256:
        raise CheckpointError(f"the tokenizer {checkpoint.name} changed since the work began. Start again.")
    return Worker(found, checkpoint, copies=Path(copies) if copies else None)


def main() -> None:
    """Do the requests that come in."""
    worker = open_worker(sys.argv[1:])
    serve(lambda lines: _answers(worker, lines))


if __name__ == "__main__":
    main()
