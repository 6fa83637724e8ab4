"""The list of clips that failed, which every data set has where there are any."""

import json
from pathlib import Path

from tubelet.data.shards.description import ERRORS, Description
from tubelet.data.shards.index import Failure, read_index
from tubelet.files import replacing


def write_errors(folder: Path, description: Description) -> None:
    """List the clips that failed, of all shards that are there; no file if there are none.

    Raises:
        OutputError: it cannot be written.
        DatasetError: an index is damaged.
    """
    failures: list[Failure] = []
    for number in range(description.shards):
        index = read_index(description.index_path(folder, number))
        failures.extend(() if index is None else index.failures)
    target = folder / ERRORS
    if not failures:
        target.unlink(missing_ok=True)
        return
    failures.sort(key=lambda failure: (failure.source, failure.start or 0.0, failure.key))
    with replacing(target, force=True) as beside:
        beside.write_text("".join(json.dumps(each.to_json()) + "\n" for each in failures), encoding="utf-8")
