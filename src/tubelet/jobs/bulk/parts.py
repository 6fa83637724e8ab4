"""Clips that are done and wait for the rest of their shard: each in a file of its own, whole or not there."""

import hashlib
import json
import secrets
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tubelet.data.shards.record import Record, facts_to_bytes
from tubelet.data.shards.tar import record_to_tar, tar_to_members
from tubelet.errors import DatasetError
from tubelet.files import output_errors
from tubelet.files.leftovers import remove
from tubelet.jobs.bulk.plan import PlannedClip
from tubelet.jobs.identity import Signature
from tubelet.json_text import text_to_json

SUFFIX = ".part"

_ABOUT = "part"


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
    """Write a part; it appears when it is whole.

    Raises:
        OutputError: it cannot be written.
    """
    about = {"made_from": made_from, "signature": list(part.signature)}
    members = {_ABOUT: facts_to_bytes(about), **part.record.members()}
    # No lock says whose it is, as elsewhere: the whole folder is locked, and removed at the end of its shard.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with output_errors(path):
        try:
            beside.write_bytes(record_to_tar(part.record.key, members))
            beside.replace(path)
        except BaseException:
            remove(beside)
            raise


def read_part(path: Path, key: str, *, made_from: str) -> ClipPart | None:
    """A part, if it is there, whole, and made from the same."""
    try:
        members = tar_to_members(path.read_bytes(), key, str(path))
        about = text_to_json(members.pop(_ABOUT).decode("utf-8"))
        if about["made_from"] != made_from:
            return None
        signature = Signature(*map(int, about["signature"]))
        return ClipPart(Record.from_members(key, members, str(path)), signature)
    except (OSError, DatasetError, tarfile.TarError, KeyError, TypeError, ValueError):
        return None
