"""Clips that are done and wait for the rest of their shard: each in a file of its own, whole or not believed.

A line of JSON says how many bytes each member has, and the members follow. Whoever is killed while writing
one leaves its beginning, which is no part: the last members are cut off, and their digests tell.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tubelet.data.shards.record import Record
from tubelet.errors import DatasetError
from tubelet.files import output_errors
from tubelet.files.leftovers import remove
from tubelet.files.signature import Signature
from tubelet.jobs.bulk.plan import PlannedClip
from tubelet.json_text import text_to_json

SUFFIX = ".part"


class ClipPart(NamedTuple):
    """A clip that is done.

    Attributes:
        record: what is stored of it.
        signature: of its source, as it was.
    """

    record: Record
    signature: Signature


def made_from(header: Mapping[str, Any], clip: PlannedClip) -> str:
    """Digest of all that decides a part but the bytes of its source."""
    return hashlib.sha256(json.dumps([header, clip.row, clip.key], sort_keys=True).encode()).hexdigest()


def part_path(folder: Path, key: str) -> Path:
    """Where the part of a clip lies."""
    return folder / f"{key}{SUFFIX}"


def write_part(path: Path, part: ClipPart, *, made_from: str) -> None:
    """Write a part, in place of one that is there.

    Raises:
        OutputError: it cannot be written.
    """
    members = part.record.members()
    sizes = {name: len(data) for name, data in members.items()}
    head = {"made_from": made_from, "signature": list(part.signature), "members": sizes}
    data = b"".join([json.dumps(head).encode(), b"\n", *members.values()])
    with output_errors(path):
        # No name is changed at the end, as elsewhere, which would take as long as all of this.
        try:
            file = path.open("xb")
        except FileExistsError:
            # Never into a file that a process of a run that was killed may still write.
            remove(path)
            file = path.open("xb")
        try:
            with file:
                file.write(data)
        except BaseException:
            remove(path)
            raise


def read_part(path: Path, key: str, *, made_from: str) -> ClipPart | None:
    """A part, if it is there, whole, and made from the same."""
    try:
        head, _, data = path.read_bytes().partition(b"\n")
        about = text_to_json(head.decode("utf-8"))
        if about["made_from"] != made_from:
            return None
        members: dict[str, bytes] = {}
        for name, size in about["members"].items():
            members[name], data = data[:size], data[size:]
        signature = Signature(*map(int, about["signature"]))
        return ClipPart(Record.from_members(key, members, str(path)), signature)
    except (OSError, DatasetError, KeyError, TypeError, ValueError, AttributeError):
        return None
