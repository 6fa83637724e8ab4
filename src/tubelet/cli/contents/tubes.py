"""What a ``.tube`` file holds, and where its bytes went."""

import math
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.errors import BitstreamError, CheckpointError, DamageWarning

if TYPE_CHECKING:
    from tubelet.bitstream.header import Header
    from tubelet.bitstream.part_header import PartHeader
    from tubelet.bitstream.reader import TubeReader
    from tubelet.bitstream.sizes import ChannelGroup, TubeSizes
    from tubelet.bitstream.symbol_model import SymbolModel


_MOST_POSITIONS = 1 << 24
"""Positions of a chunk whose map is read: a short file may claim many more."""


def open_reader(path: Path) -> "TubeReader":
    """Open a ``.tube`` file to read what it says of itself, its heads and its maps."""
    from tubelet.bitstream.reader import TubeReader

    return TubeReader(path, _model_for)


def tube_facts(path: Path, *, check: bool = False) -> dict[str, object]:
    """A file of a latent, or of tokens; of its chunks only heads and maps are read; damage is warned of.

    Args:
        path: of the file.
        check: whether all of it is read, to find damage.
    """
    with open_reader(path) as reader:
        header = reader.header
        numerator, denominator = header.time_base
        first, last = (reader.time_of(0), reader.time_of(reader.frames - 1)) if reader.frames else (0, 0)
        span = (last - first) * numerator / denominator
        end = None if reader.end is None else round((reader.end - first) * numerator / denominator, 6)
        pixels = reader.frames * header.height * header.width
        bits = 8 * (path.stat().st_size - reader.bytes_audio)
        return {
            "path": str(path),
            "format": f"tube {header.version}",
            "complete": reader.complete,
            "bytes": path.stat().st_size,
            "tokenizer": header.tokenizer,
            "tokenizer_sha256": header.tokenizer_sha256,
            "stride": "x".join(map(str, header.stride)),
            "lead_frame": header.lead_frame,
            **_content_facts(reader),
            "prior": None if header.prior is None else header.prior.name,
            "width": header.width,
            "height": header.height,
            "frames": reader.frames,
            "last_frame_seconds": round(span, 6),
            "duration_seconds": end,
            "bits_per_pixel": round(bits / pixels, 6) if pixels else None,
            "chunks": len(reader.chunks),
            "time_base": f"{numerator}/{denominator}",
            "colour": header.colour,
            "source": header.source,
            "audio": None
            if header.audio is None
            else f"{header.audio.codec} {header.audio.sample_rate} Hz {header.audio.layout}",
            **_size_facts(reader),
            **(_damage_facts(reader) if check else {}),
        }


def _damage_facts(reader: "TubeReader") -> dict[str, object]:
    """What reading every chunk and every packet of sound says of damage.

    Raises:
        CheckpointError: chunks are coded with a prior that is not here.
    """
    from tubelet.codec.transcode import check_chunk_room

    damage: list[str] = []
    for number in range(len(reader.chunks)):
        try:
            check_chunk_room(reader, number)
            reader.read_chunk(number)
        except BitstreamError as error:
            damage.append(str(error))
    try:
        for _ in reader.audio():
            pass
    except BitstreamError as error:
        damage.append(str(error))
    for each in damage:
        warnings.warn(each, DamageWarning, stacklevel=1)
    return {"damage": " ".join(damage) or None}


def _content_facts(reader: "TubeReader") -> dict[str, object]:
    """What is special to a latent, or to tokens, of one part or of several."""
    described = [_part_facts(reader, part) for part in reader.header.parts]
    for facts, means in zip(described, _map_facts(reader), strict=True):
        facts.update(means)
    if len(described) == 1:
        return described[0]
    names = [part.name for part in reader.header.parts]
    strides = ["x".join(map(str, part.stride)) for part in reader.header.parts]
    return {
        "parts": [
            {"name": name, "stride": stride, **facts}
            for name, stride, facts in zip(names, strides, described, strict=True)
        ]
    }


def _part_facts(reader: "TubeReader", part: "PartHeader") -> dict[str, object]:
    """What the header says of a part."""
    header = reader.header
    steps = header.part_steps(part, 0, reader.steps)
    cells = f"{steps}x{part.rows}x{part.columns}"
    counts = {"counts": list(part.counts)} if part.counts else {}
    if not part.bases:
        return {"channels": part.channels, "latent": f"{part.channels}x{cells}", **counts}
    sizes = [math.prod(token) for token in part.bases]
    bits = math.fsum(map(math.log2, sizes)) * steps * part.rows * part.columns
    pixels = reader.frames * header.height * header.width
    return {
        "tokens_per_position": len(sizes),
        "codebook_sizes": sizes,
        "bases": ["x".join(map(str, token)) for token in part.bases],
        "tokens": f"{len(sizes)}x{cells}",
        "nominal_bits_per_pixel": round(bits / pixels, 6) if pixels else None,
        **counts,
    }


def _map_facts(reader: "TubeReader") -> list[dict[str, object]]:
    """What the maps say of each part, where it has one: channels in the mean, positions that have none."""
    parts = reader.header.parts
    channels, without, positions = ([0] * len(parts) for _ in range(3))
    read = any(part.has_map for part in parts) and _are_small(reader)
    try:
        for number in range(len(reader.chunks) if read else 0):
            for place, counts in enumerate(reader.read_counts(number)):
                if counts is not None:
                    channels[place] += int(counts.sum())
                    without[place] += int((counts == 0).sum())
                    positions[place] += counts.size
    except CheckpointError:  # the prior that the maps are coded with is not here
        positions = [0] * len(parts)
    except BitstreamError as error:
        warnings.warn(str(error), DamageWarning, stacklevel=1)
        positions = [0] * len(parts)
    return [
        {
            "mean_channels": round(channels[place] / positions[place], 4) if positions[place] else None,
            "nothing_stored_percent": _percent(without[place], positions[place]),
        }
        if part.has_map
        else {}
        for place, part in enumerate(parts)
    ]


def _are_small(reader: "TubeReader") -> bool:
    """Whether the maps of all chunks take little memory."""
    header = reader.header
    positions = sum(part.rows * part.columns * (header.stride[0] // part.stride[0]) for part in header.parts)
    return max((entry.steps for entry in reader.chunks), default=0) * positions <= _MOST_POSITIONS


def _size_facts(reader: "TubeReader") -> dict[str, object]:
    """Where the bytes went; nothing where the head of a chunk is damaged."""
    from tubelet.bitstream.sizes import read_sizes

    try:
        sizes = read_sizes(reader, lambda part: _groups(reader.header, part))
    except BitstreamError as error:
        warnings.warn(str(error), DamageWarning, stacklevel=1)
        return {}
    return {
        name: {"bytes": count, "percent": _percent(count, sizes.total)}
        for name, count in _rows(sizes, reader.header.parts)
    }


def _rows(sizes: "TubeSizes", parts: Sequence["PartHeader"]) -> Iterable[tuple[str, int]]:
    """Names and bytes of what a file is made of; what few files have, only where it is there."""
    yield "bytes_header", sizes.header
    yield "bytes_heads", sizes.heads
    if any(part.has_map for part in parts):
        yield "bytes_map", sizes.maps
    for group, count in sizes.groups.items():
        yield _name(group, several=len(parts) > 1), count
    yield "bytes_audio", sizes.audio
    yield "bytes_index", sizes.index
    for name, count in (("bytes_passed_over", sizes.other), ("bytes_unread", sizes.unread)):
        if count:
            yield name, count


def _name(group: "ChannelGroup", *, several: bool) -> str:
    """The name of a group of channels, one word."""
    part = f"{'_'.join(group.part.split())}_" if several else ""
    if group.stop is None:
        return f"bytes_{part}group_{group.start}"
    if group.stop == group.start + 1:
        return f"bytes_{part}channel_{group.start}"
    return f"bytes_{part}channels_{group.start}_to_{group.stop - 1}"


def _percent(count: int, total: int) -> float | None:
    return round(100 * count / total, 2) if total else None


def _groups(header: "Header", part: "PartHeader") -> Sequence[tuple[int, int]] | None:
    """The groups of channels of the prior of a part; none if it is not here."""
    try:
        model = _model_for(header, part)
    except CheckpointError:
        return None
    return None if model is None else model.groups


def _model_for(header: "Header", part: "PartHeader") -> "SymbolModel | None":
    """The model of a part, from the priors that come with the program: most files need none of them."""
    from tubelet.priors.files import model_for

    return model_for(header, part)
