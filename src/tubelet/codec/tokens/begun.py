"""What an interrupted table of tokens had, in a table beside it that the next run takes clips from."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from tubelet.codec.tokens.clip import TokenClip
from tubelet.codec.tokens.kept import ClipName, KeptClips, seen_now
from tubelet.codec.tokens.table import TokenTableWriter
from tubelet.errors import BitstreamError, OutputError
from tubelet.files import fitted_name
from tubelet.files.leftovers import remove
from tubelet.files.targets import followed


def begun_path(target: Path) -> Path:
    """Where the clips of an interrupted table lie: beside it, hidden, so that no loader reads it."""
    real = followed(target)
    return real.with_name(fitted_name(f".{real.name}", ".begun"))


class BegunTable:
    """The clips of an interrupted table, as a context manager; none where it is damaged or of other weights.

    Several processes may read it at once, and one may put another in its place meanwhile: what is given is of
    the table that was there at first.

    Args:
        target: the table that was to be made; none takes no clips from anywhere.
        tokenizer: name of the tokenizer whose tokens are wanted.
        tokenizer_sha256: its fingerprint.
    """

    def __init__(self, target: Path | None, tokenizer: str, tokenizer_sha256: str) -> None:
        self.path = None if target is None else begun_path(target)
        self._seen = None if self.path is None else seen_now(self.path)
        self._taken: set[ClipName] = set()
        self._is_broken = False
        try:
            self._clips = KeptClips(self.path, tokenizer, tokenizer_sha256)
        except OutputError:
            self._clips = KeptClips(None, tokenizer, tokenizer_sha256)

    def __enter__(self) -> "BegunTable":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clips.__exit__(kind, error, trace)

    def __len__(self) -> int:
        return len(self._clips)

    def take(self, name: ClipName) -> TokenClip | None:
        """A clip; none if there is none of that name, or somebody changed the table while it is read."""
        self._taken.add(name)
        if self._is_broken:
            return None
        try:
            return self._clips.take(name)
        except BitstreamError:
            self._is_broken = True
            return None

    @contextmanager
    def gone_on_with(self, table: TokenTableWriter, sources: Collection[str]) -> Iterator[None]:
        """Make another table, of these sources; what an interruption leaves untaken goes into it too."""
        try:
            yield
        except KeyboardInterrupt:
            for name in self._clips.names:
                if name.source in sources and name not in self._taken and (clip := self.take(name)):
                    table.append(clip.grid, clip.facts)
            raise

    def remove(self) -> None:
        """Remove the table, since all is made; one that another run left meanwhile stays for that."""
        if self.path is not None and self._seen is not None and seen_now(self.path) == self._seen:
            remove(self.path)
