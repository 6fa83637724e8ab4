"""The clips that a table of tokens holds already, so that making a longer one does not begin at zero."""

from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from tubelet.codec.tokens.clip import ClipFacts, TokenClip
from tubelet.codec.tokens.table import TokenTable
from tubelet.errors import BitstreamError, OutputError
from tubelet.files.signature import Signature, file_signature
from tubelet.spelling import counted


class ClipName(NamedTuple):
    """What makes two clips of a table the same: the name, the digest of the bytes, and what is seen."""

    source: str
    source_sha256: str | None
    caption: str | None

    @classmethod
    def of(cls, facts: ClipFacts) -> "ClipName":
        """That of a clip."""
        return cls(facts.source, facts.source_sha256, facts.caption)


class KeptClips:
    """The clips of a table that is there, as a context manager; of a table that is not there, none.

    Args:
        path: of the table; none for no table.
        tokenizer: name of the tokenizer whose tokens are wanted.
        tokenizer_sha256: its fingerprint.

    Raises:
        OutputError: the file is not a table of tokens, or one of another tokenizer.
    """

    def __init__(self, path: Path | None, tokenizer: str, tokenizer_sha256: str) -> None:
        self._path = path
        self._table: TokenTable | None = None
        self._numbers: dict[ClipName, int] = {}
        self._next = 0
        self._rest: Iterator[TokenClip] = iter(())
        self._seen: Signature | None = None
        if path is None or not path.exists():
            return
        self._seen = seen_now(path)
        again = "Name another file, or replace it with --force."
        try:
            self._table = TokenTable(path)
            for number, clip in enumerate(self._table):
                if clip.facts.tokenizer_sha256 != tokenizer_sha256:
                    raise OutputError(
                        f"{path} holds tokens of {clip.facts.tokenizer}, not of {tokenizer} with these "
                        f"weights; one table is of one tokenizer. {again}"
                    )
                self._numbers.setdefault(ClipName.of(clip.facts), number)
        except BitstreamError as error:
            raise OutputError(f"{path} exists and cannot be gone on with: {error} {again}") from error
        self._rest = iter(self._table)

    def __enter__(self) -> "KeptClips":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._table is not None:
            self._table.__exit__(kind, error, trace)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def names(self) -> Collection[ClipName]:
        """Names of its clips, in their order."""
        return self._numbers.keys()

    @property
    def there(self) -> bool:
        """Whether there is a table."""
        return self._table is not None

    def check_unchanged(self) -> None:
        """Raise if the table is another one than when it was opened.

        Raises:
            OutputError: it is.
        """
        if self._table is not None and self._path is not None and seen_now(self._path) != self._seen:
            raise OutputError(
                f"{self._path} changed meanwhile, so clips that somebody else put there would be lost. Give "
                "the same command again; one process at a time works on a table."
            )

    def check_all_wanted(self, names: set[str]) -> None:
        """Raise if the table holds clips of other names than these.

        Raises:
            OutputError: it does.
        """
        others = [name.source for name in self._numbers if name.source not in names]
        if others:
            are, they = ("is", "it") if len(others) == 1 else ("are", "they")
            clips = counted(len(others), "clip")
            raise OutputError(
                f"{self._path} holds {clips} that {are} not among the inputs ({others[0]}"
                f"{', …' if len(others) > 1 else ''}); {they} would be lost. Give all inputs together, name "
                "another file, or replace it with --force."
            )

    def take(self, name: ClipName) -> TokenClip | None:
        """A clip; none if the table does not hold it."""
        number = self._numbers.get(name)
        if number is None or self._table is None:
            return None
        if number < self._next:
            return self._table[number]
        # Mostly the order is the same, and the table is read once from front to back.
        while self._next < number:
            next(self._rest)
            self._next += 1
        self._next += 1
        return next(self._rest)


def seen_now(path: Path) -> Signature | None:
    """What tells a table from one that takes its place; a mode or a further name makes no other table."""
    found = file_signature(path)
    return None if found is None else found.whatever_its_status
