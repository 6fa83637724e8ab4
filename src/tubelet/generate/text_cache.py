"""What a text encoder says of the captions of a run, kept beside its latents: each is encoded once."""

import json
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tubelet.errors import TubeletWarning
from tubelet.files import output_errors, replacing
from tubelet.generate.prompts import StoredText
from tubelet.generate.text_encoder import TextEncoder
from tubelet.json_text import of_kind, read_json

MOST_TOKENS = 128
"""Tokens of a caption that are kept where no other number is said."""

_AT_ONCE = 64
"""Captions that are encoded together."""

_PAUSE = 0.5
"""Seconds between two looks whether another process is done."""


def encode_captions(
    encoder: TextEncoder,
    captions: Sequence[str],
    folder: Path,
    *,
    tokens: int | None,
    on_caption: Callable[[int, int], None],
    waits: bool = False,
) -> StoredText:
    """Encode captions, or map what an earlier session or another process of the run encoded.

    States lie in ``text.states`` of the folder, as float16 in little-endian order, and ``text.json`` says of
    which captions by which encoder; captions that come later are added.

    Args:
        encoder: says the states.
        captions: of all clips.
        folder: of the run.
        tokens: of a caption that are read; those of the longest one for none, 128 at most.
        on_caption: called with how many captions are done, and of how many.
        waits: whether another process encodes, for which this one waits.

    Raises:
        OptionError: a caption is empty.
        CheckpointError: the encoder says numbers beyond half precision.
        OutputError: the disk is full or refuses it.

    Warns:
        TubeletWarning: how many captions have more tokens than are read.
    """
    files = _Files(folder / "text.states", folder / "text.json")
    most = MOST_TOKENS if tokens is None else tokens
    wanted = list(dict.fromkeys(captions))
    lengths = _stored(files, encoder, most)
    while waits and not all(caption in lengths for caption in wanted):
        time.sleep(_PAUSE)
        lengths = _stored(files, encoder, most)
    if missing := [caption for caption in wanted if caption not in lengths]:
        lengths = _added(files, encoder, lengths, missing, most=most, on_caption=on_caption)
    starts = np.cumsum([0, *lengths.values()])
    places = {caption: place for place, caption in enumerate(lengths)}
    states = np.memmap(files.states, dtype="<f2", mode="r", shape=(int(starts[-1]), encoder.width))
    slots = max(lengths[caption] for caption in wanted) if tokens is None else tokens
    _warn_of_long_ones(encoder, wanted, lengths, most)
    return StoredText(
        states=states, starts=starts, chosen=np.array([places[each] for each in captions]), slots=slots
    )


class _Files(NamedTuple):
    """Where states lie, and what says whose they are."""

    states: Path
    facts: Path


def _stored(files: _Files, encoder: TextEncoder, most: int) -> dict[str, int]:
    """Captions that are encoded already, in the order in which they lie, with how many tokens each has."""
    try:
        stored = of_kind(read_json(files.facts), dict, "content")
        if stored["encoder"] != encoder.sha256 or stored["most"] != most:
            return {}
        captions = of_kind(stored["captions"], dict, "captions")
        lengths = {caption: of_kind(length, int, "length") for caption, length in captions.items()}
        if files.states.stat().st_size < _bytes(lengths, encoder) or min(lengths.values(), default=1) < 1:
            return {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return lengths


def _added(
    files: _Files,
    encoder: TextEncoder,
    lengths: dict[str, int],
    missing: Sequence[str],
    *,
    most: int,
    on_caption: Callable[[int, int], None],
) -> dict[str, int]:
    """Encode further captions, and write their states behind those that are there."""
    lengths = dict(lengths)
    with output_errors(files.states), files.states.open("r+b" if lengths else "wb") as file:
        # What a session that was killed left behind them is no longer known to anyone.
        file.truncate(_bytes(lengths, encoder))
        file.seek(0, 2)
        for start in range(0, len(missing), _AT_ONCE):
            some = missing[start : start + _AT_ONCE]
            encoded = encoder.encode(some, slots=most)
            for caption, states, seen in zip(some, encoded.states, encoded.seen, strict=True):
                rows = states[seen].numpy().astype("<f2")
                file.write(rows.tobytes())
                lengths[caption] = len(rows)
            on_caption(start + len(some), len(missing))
    facts = {"encoder": encoder.sha256, "name": encoder.name, "most": most, "captions": lengths}
    with replacing(files.facts, force=True) as beside:
        beside.write_text(json.dumps(facts), encoding="utf-8")
    return lengths


def _bytes(lengths: dict[str, int], encoder: TextEncoder) -> int:
    return 2 * encoder.width * sum(lengths.values())


def _warn_of_long_ones(
    encoder: TextEncoder, wanted: Sequence[str], lengths: dict[str, int], most: int
) -> None:
    full = [caption for caption in wanted if lengths[caption] == most]
    long = [caption for caption in full if encoder.length(caption) > most]
    if long:
        warnings.warn(
            f"{len(long)} captions have more than {most} tokens, and their ends are left out: {long[0]!r:.80}"
            f"{' and others' if long[1:] else ''}. --text_tokens reads more.",
            TubeletWarning,
            stacklevel=2,
        )
