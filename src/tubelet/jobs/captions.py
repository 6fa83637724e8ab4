"""Captions that lie beside the list of clips: in a table, or in a text file next to each video."""

from collections.abc import Sequence
from pathlib import Path

from tubelet.codec.tokens.clip import LONGEST_CAPTION
from tubelet.errors import OptionError
from tubelet.jobs.rows import Row
from tubelet.jobs.sources import read_sources

SIDECAR = "sidecar"
"""Each video ``a.mp4`` has its caption in ``a.txt``."""


def with_captions(rows: Sequence[Row], captions: str | None) -> list[Row]:
    """The rows with captions; one that has its own keeps it.

    Args:
        rows: clips.
        captions: ``sidecar``; or a ``.csv`` or ``.jsonl`` with columns ``path`` and ``caption``, whose paths
            are those of the videos, or their names where no two are alike; manifests with ``file`` and
            ``description`` do too. None for none.

    Raises:
        OptionError: the table cannot be read, has no caption for any clip, or two for one.
    """
    if captions is None:
        return list(rows)
    if captions == SIDECAR:
        captioned, place = _from_beside, "no file beside a clip"
    elif Path(captions).suffix.lower() in (".csv", ".jsonl"):
        captioned, place = _Captions(read_sources([captions])).said_of, f"no row of {captions}"
    else:
        raise OptionError(f"captions is {captions!r:.200}; it is a .csv, a .jsonl, or the word {SIDECAR}.")
    found = [row if row.caption else captioned(row) for row in rows]
    if not any(row.caption or row.fault for row in found):
        raise OptionError(f"{place} has a caption for any of the {len(rows)} clips. Compare the paths.")
    return found


class _Captions:
    """Captions by what may name their clip."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._by_path: dict[str, str | None] = {}
        self._by_name: dict[str, str | None] = {}
        self._by_file: dict[str, str | None] = {}
        for row in rows:
            if row.fault is not None:
                raise OptionError(row.fault)
            before = self._by_path.setdefault(_whole(row.path), row.caption)
            if before != row.caption:
                raise OptionError(f"{row.name} has two captions, {before!r:.60} and {row.caption!r:.60}.")
            self._by_name[row.name] = row.caption
            file = Path(row.name).name
            # A name that several have says nothing.
            self._by_file[file] = None if file in self._by_file else row.caption

    def said_of(self, row: Row) -> Row:
        """A clip with its caption, if there is one."""
        return row._replace(
            caption=self._by_path.get(_whole(row.path))
            or self._by_name.get(row.name)
            or self._by_file.get(Path(row.name).name)
        )


def _whole(path: str) -> str:
    return str(Path(path).absolute())


def _from_beside(row: Row) -> Row:
    """A clip with what stands in the text file beside its video, if there is one.

    Of a text that is too long, more than a caption may have; of one that is not UTF-8, with half characters
    in the place of its bytes; one that cannot be read is a fault: so that the clip fails, and no other does.
    """
    path = Path(row.path).with_suffix(".txt")
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            text = file.read(LONGEST_CAPTION + 1)
    except FileNotFoundError:
        return row
    except OSError as error:
        return row._replace(fault=f"the caption {path} cannot be read ({error.strerror}). Make it readable.")
    return row._replace(caption=(text if len(text) > LONGEST_CAPTION else text.strip()) or None)
