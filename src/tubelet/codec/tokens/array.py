"""The digits of one clip as an ``.npz`` file, which numpy alone reads.

It holds two arrays: ``digits`` (d t h w, in the smallest integer type) and ``facts``, a JSON text as bytes:
``json.loads(bytes(numpy.load(path)["facts"]))``. Digits have no limit of 64 bits, as tokens in a table have.
"""

import os
import re
import zipfile
import zlib
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Integer

from tubelet.bitstream.facts import bytes_to_facts, check_keys, facts_to_bytes, flag, integer, integers, text
from tubelet.codec.room import RoomError, check_room
from tubelet.codec.tokens.clip import LARGEST_CLIP, ClipFacts, TokenClip, check_bases, check_to_store
from tubelet.errors import BitstreamError, OptionError, ShapeError, TokenError
from tubelet.files import replacing
from tubelet.quantizers.digits import Bases, check_digits, digits_kind
from tubelet.tokenizers.grouping import Grouping
from tubelet.tokenizers.streams.state import DEFAULT_MEMORY
from tubelet.tokenizers.token_grid import TokenGrid
from tubelet.types import Stride

FORMAT = 1
"""Version of the file's format; it grows when an older reader would misread the file."""

_FACT_BYTES = 1 << 24
_PIECE_BYTES = 1 << 20
_ENTRIES = 16
_LAST_BYTES = 1 << 16
"""Bytes at the end of an archive within which its end must be found."""
_HEAD_BYTES = 128
"""Length of the head that numpy gives an array of few axes."""

_HEAD = re.compile(
    rb"\x93NUMPY\x01\x00\x76\x00\{'descr': '(?P<kind>[<|][ui][1248])', 'fortran_order': False, "
    rb"'shape': \((?P<shape>\d{1,12}(, ?\d{1,12})*,?)\), \} *\n"
)
_TEXTS = ("source", "tokenizer", "tokenizer_sha256")
_PERHAPS_TEXTS = ("source_sha256", "caption")
_KEYS = (
    "format",
    "bases",
    "stride",
    "lead_frame",
    "frames",
    "height",
    "width",
    "fps",
    *_TEXTS,
    *_PERHAPS_TEXTS,
)


def write_token_array(target: Path, grid: TokenGrid, facts: ClipFacts, *, force: bool = False) -> int:
    """Write the digits of one clip; give the size of the file.

    Args:
        target: a ``.npz`` file.
        grid: the digits.
        facts: where they come from.
        force: whether an existing target is replaced.

    Raises:
        ShapeError: the grid is of several clips, or of one too long.
        TokenError: a digit is outside its base.
        OutputError: the target exists (and `force` is false) or cannot be written.
    """
    check_to_store(grid)
    check_digits(grid.digits, grid.bases)
    digits = rearrange(grid.digits, "1 d t h w -> d t h w").to(digits_kind(grid.bases)).cpu().numpy()
    digits = np.ascontiguousarray(digits)
    content = facts_to_bytes(
        {
            "format": FORMAT,
            "bases": [list(token) for token in grid.bases],
            "stride": list(grid.stride),
            "lead_frame": grid.lead_frame,
            "frames": grid.frames,
            "height": grid.height,
            "width": grid.width,
            "fps": None if facts.fps is None else list(facts.fps.as_integer_ratio()),
        }
        | {name: getattr(facts, name) for name in (*_TEXTS, *_PERHAPS_TEXTS)}
    )
    with replacing(target, force=force, durable=True) as path, path.open("wb") as file:
        np.savez_compressed(file, digits=digits, facts=np.frombuffer(content, np.uint8))
        return file.tell()


def read_token_array(source: Path, *, memory: int = DEFAULT_MEMORY) -> TokenClip:
    """Undo `write_token_array`. Every size is known before anything of it is read.

    Args:
        source: a ``.npz`` file.
        memory: bytes that the digits may take.

    Raises:
        BitstreamError: the file is damaged, newer than this program, or no array of tokens.
        OptionError: it claims more digits than memory allows.
    """
    try:
        with source.open("rb") as file:
            _check_directory(file)
        with zipfile.ZipFile(source) as archive:
            content = _read(archive, "facts", np.dtype(np.uint8), None).tobytes()
            described = _describe(bytes_to_facts(content))
            check_room(f"{source}: {described.shape} digits", described.bytes_of_digits, memory)
            digits = _read(archive, "digits", described.kind, described.shape)
        grid = TokenGrid(digits=torch.from_numpy(digits)[None], **described.grid)
        check_digits(grid.digits, grid.bases)
    except RoomError:
        raise
    except (BitstreamError, OptionError, ShapeError, TokenError) as error:
        raise BitstreamError(f"{source}: {error}") from error
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
    ) as error:
        raise BitstreamError(
            f"{source} cannot be read as an array of tokens: {error!s:.300}. It is damaged or another file."
        ) from error
    return TokenClip(grid, described.facts)


class _Described(NamedTuple):
    """What the facts of a file say: the array that belongs to them, the grid but for it, and the origin."""

    shape: tuple[int, ...]
    kind: np.dtype
    grid: dict[str, Any]
    facts: ClipFacts

    @property
    def bytes_of_digits(self) -> int:
        """What the array takes."""
        return prod(self.shape) * self.kind.itemsize


def _describe(facts: dict[str, object]) -> _Described:
    """Read facts, each within its range."""
    if facts.get("format") != FORMAT:
        raise BitstreamError(
            f"its format is {facts.get('format')!r:.80}; this program reads {FORMAT}. Upgrade it."
        )
    check_keys(facts, _KEYS, "the array of tokens")
    bases = _bases(facts["bases"])
    stride = integers(facts, "stride")
    numbers = {name: integer(facts, name) for name in ("frames", "height", "width")}
    if len(stride) != 3 or min(stride) < 1 or min(numbers.values()) < 1:
        raise BitstreamError(
            f"stride is {stride} and sizes are {numbers}; they are above zero. It is damaged."
        )
    grouping = Grouping(stride=Stride(*stride), lead_frame=flag(facts, "lead_frame"))
    count = sum(map(len, bases))
    shape = (count, *grouping.grid(**numbers))
    if prod(shape) > LARGEST_CLIP:
        raise BitstreamError(
            f"it claims {shape} digits; at most {LARGEST_CLIP} are read. The file is damaged."
        )
    kind = torch.empty(0, dtype=digits_kind(bases)).numpy().dtype
    grid = {"bases": bases, "stride": grouping.stride, "lead_frame": grouping.lead_frame} | numbers
    return _Described(shape, kind, grid, _origin(facts))


def _origin(facts: dict[str, object]) -> ClipFacts:
    rate = None if facts["fps"] is None else integers(facts, "fps")
    if rate is not None and (len(rate) != 2 or min(rate) < 1):
        raise BitstreamError(f"fps is {rate}; it is a fraction above zero. The file is damaged.")
    return ClipFacts(
        source=text(facts, "source"),
        tokenizer=text(facts, "tokenizer"),
        tokenizer_sha256=text(facts, "tokenizer_sha256"),
        source_sha256=None if facts["source_sha256"] is None else text(facts, "source_sha256"),
        fps=None if rate is None else Fraction(*rate),
        caption=None if facts["caption"] is None else text(facts, "caption"),
    )


def _bases(value: object) -> Bases:
    if not isinstance(value, list):
        raise BitstreamError(
            f"bases are {value!r:.80}; they are lists of whole numbers. The file is damaged."
        )
    bases: Bases = tuple(integers({"bases": token}, "bases") for token in value)
    check_bases(bases)
    return bases


def _read(
    archive: zipfile.ZipFile, name: str, kind: np.dtype, shape: tuple[int, ...] | None
) -> Integer[np.ndarray, "*any"]:
    """One array, of this type and shape; for no shape, of one axis and a bounded length.

    The head of the array is compared with what is expected before memory for its content is asked for, and
    the checksum of the archive with what was read.
    """
    entry = archive.getinfo(f"{name}.npy")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BitstreamError(f"{name} is compressed in way {entry.compress_type}; known are 0 and 8.")
    with archive.open(entry) as file:
        head = _HEAD.fullmatch(file.read(_HEAD_BYTES))
        if head is None:
            raise BitstreamError(f"{name} does not begin as numpy's arrays do. The file is damaged.")
        found = tuple(int(side) for side in head["shape"].split(b",") if side.strip())
        expected = shape if shape is not None else (min(prod(found), _FACT_BYTES),)
        if found != expected or head["kind"].decode() != kind.str:
            raise BitstreamError(
                f"{name} is of type {head['kind']!r} and shape {found}, not {kind.str!r} and {expected}. The "
                "file is damaged."
            )
        # Filled a piece at a time: what is claimed and not there takes no memory.
        array = np.empty(prod(expected) * kind.itemsize, np.uint8)
        done = 0
        while piece := file.read(min(_PIECE_BYTES, len(array) - done)):
            array[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
            done += len(piece)
        if done < len(array) or file.read(1):
            raise BitstreamError(f"{name} is longer or shorter than it says. The file is damaged.")
    return array.view(kind).reshape(expected)


def _check_directory(file: BinaryIO) -> None:
    """Raise if the archive lists more than two arrays: its whole list would be read at once.

    Raises:
        BitstreamError: it does, or is so large that sizes stand elsewhere.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LAST_BYTES))
    end = file.read()
    at = end.rfind(b"PK\x05\x06")
    if at < 0 or len(end) < at + 22:
        raise BitstreamError("it does not end as an archive does. It is damaged or another file.")
    entries, length = (
        int.from_bytes(end[at + 10 : at + 12], "little"),
        int.from_bytes(end[at + 12 : at + 16], "little"),
    )
    if entries > _ENTRIES or length > _LAST_BYTES or b"PK\x06\x07" in end[max(0, at - 20) : at]:
        raise BitstreamError(
            f"its list of {entries} arrays takes {length} bytes; an array of tokens holds two. It is another "
            "file."
        )
