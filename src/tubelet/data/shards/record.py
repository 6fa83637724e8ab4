"""One encoded clip as a shard holds it: facts as JSON, and arrays as bytes, each with its digest."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tubelet.errors import DatasetError
from tubelet.json_text import text_to_json

FACTS = "json"
"""The suffix of the member that holds the facts."""

LARGEST_ARRAY = 1 << 33
"""Bytes of an array that is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One encoded clip.

    Attributes:
        key: 32 hexadecimal digits that name the clip: a digest of its source's name, its range, and whether
            it is mirrored.
        facts: all that is known of it, as JSON holds it. ``arrays`` has for each array the ``sha256`` of its
            bytes.
        arrays: bytes by suffix: ``latent.npy``, ``log_variance.npy``, ``tokens.npy``, or ``tube``.
    """

    key: str
    facts: Mapping[str, Any]
    arrays: Mapping[str, bytes]

    @classmethod
    def of(
        cls, key: str, facts: Mapping[str, Any], arrays: Mapping[str, bytes], about: Mapping[str, Any]
    ) -> "Record":
        """A record whose facts say what its arrays are.

        Args:
            key: of the clip.
            facts: of the clip.
            arrays: their bytes.
            about: further facts of each array, such as what to multiply it with.
        """
        described = {
            name: dict(about.get(name, {})) | {"sha256": hashlib.sha256(data).hexdigest()}
            for name, data in arrays.items()
        }
        return cls(key=key, facts={"key": key, **facts, "arrays": described}, arrays=dict(arrays))

    def members(self) -> dict[str, bytes]:
        """What is stored, by suffix; the facts come first."""
        return {FACTS: facts_to_bytes(self.facts), **self.arrays}

    @classmethod
    def from_members(cls, key: str, members: Mapping[str, bytes], where: str) -> "Record":
        """What `members` gave.

        Args:
            key: of the clip.
            members: their bytes, by suffix.
            where: is named in errors.

        Raises:
            DatasetError: something is missing or damaged.
        """
        facts = bytes_to_facts(members.get(FACTS, b""), key, where)
        arrays = {name: data for name, data in members.items() if name != FACTS}
        described = facts["arrays"]
        for name in described:
            if name not in arrays:
                raise DatasetError(
                    f"{where}: clip {key} lacks {name}. The shard is damaged: encode it again."
                )
            if hashlib.sha256(arrays[name]).hexdigest() != described[name].get("sha256"):
                raise DatasetError(
                    f"{where}: {name} of clip {key} is not what was written. The shard is damaged: encode it "
                    "again."
                )
        return cls(key=key, facts=facts, arrays={name: arrays[name] for name in described})


def facts_to_bytes(facts: Mapping[str, Any]) -> bytes:
    """Facts as text that is the same wherever it is written."""
    return (json.dumps(facts, separators=(",", ":"), allow_nan=False) + "\n").encode()


def bytes_to_facts(data: bytes, key: str, where: str) -> dict[str, Any]:
    """Undo `facts_to_bytes`.

    Raises:
        DatasetError: they are not the facts of this clip.
    """
    try:
        facts = text_to_json(data.decode("utf-8"))
        arrays = facts["arrays"]
        whole = facts["key"] == key and all(isinstance(each, dict) for each in arrays.values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{where}: the facts of clip {key} are damaged ({error!r:.100}). Encode it again."
        ) from error
    if not whole:
        raise DatasetError(f"{where}: the facts are not those of clip {key}. Encode it again.")
    return facts


def array_to_bytes(array: np.ndarray) -> bytes:
    """An array as a ``.npy`` file, the bytes that `numpy.save` writes in half the time that it takes."""
    whole = np.ascontiguousarray(array)
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, np.lib.format.header_data_from_array_1_0(whole))
    buffer.write(whole.data)
    return buffer.getvalue()


def bytes_to_array(data: bytes, where: str) -> np.ndarray:
    """Undo `array_to_bytes`.

    Raises:
        DatasetError: it is no such file.
    """
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DatasetError(f"{where} is damaged: {error!s:.100}. Encode it again.") from error
