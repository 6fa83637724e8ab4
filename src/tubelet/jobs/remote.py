"""Sources that lie elsewhere, by URL: listed, described, and copied here one at a time (through fsspec)."""

import hashlib
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from tubelet.errors import OptionError, TubeletError, VideoError
from tubelet.files.leftovers import sweep, unfinished
from tubelet.files.urls import is_url, name_in, without_secrets
from tubelet.video.ranges import AnyVideo, VideoRange

_TRIES = 3

_PAUSE = 0.5
"""Seconds after the first failure; twice as many after the next."""


class RemoteInfo(NamedTuple):
    """What a server says of a file without sending it.

    Attributes:
        tag: what the server changes whenever the bytes change (ETag); empty if it says none.
        bytes: size; -1 if it does not say.
        changed: nanoseconds since 1970 when it changed; none if it does not say.
    """

    tag: str
    bytes: int
    changed: int | None


def remote_info(url: str) -> RemoteInfo | None:
    """What a server says of a file; none if there is none, or the server does not answer."""
    try:
        system, path = _open(url)
        system.invalidate_cache()
        info = system.info(path)
    except OptionError:
        raise
    except Exception:  # noqa: BLE001  each file system has errors of its own
        return None
    tag = next((str(info[name]) for name in ("ETag", "etag", "md5Hash", "Content-MD5") if info.get(name)), "")
    changed = next(
        (info[name] for name in ("LastModified", "Last-Modified", "updated", "mtime") if info.get(name)), None
    )
    size = info.get("size")
    return RemoteInfo(tag, -1 if size is None else int(size), _nanoseconds(changed))


def list_remote(url: str, suffixes: Iterable[str]) -> list[str]:
    """URLs of the files that a pattern with ``*`` names, or of all videos below a folder, in order.

    Raises:
        OptionError: the server does not list them.
    """
    try:
        system, path = _open(url)
        found = system.glob(path) if "*" in path else system.find(path)
        names = [str(system.unstrip_protocol(name)) for name in found]
    except OptionError:
        raise
    except Exception as error:
        raise OptionError(f"{without_secrets(url)} cannot be listed: {_reason(error)}.") from error
    wanted = tuple(suffixes)
    return sorted(name for name in names if name_in(name).lower().endswith(wanted))


def read_remote(url: str) -> bytes:
    """All bytes of a small file, such as a list.

    Raises:
        OptionError: it cannot be read.
    """
    try:
        system, path = _open(url)
        return system.cat_file(path)
    except OptionError:
        raise
    except Exception as error:
        raise OptionError(f"{without_secrets(url)} cannot be read: {_reason(error)}.") from error


@contextmanager
def copies_folder() -> Iterator[Path]:
    """A folder for copies; it is removed at the end, or by a later run if this one is killed."""
    place = Path(tempfile.gettempdir())
    sweep(place)
    with unfinished(place / "copies") as folder:
        yield folder


class LocalCopies:
    """Local files of clips, as a context manager; of the remote ones, the copy of the last one alone.

    Args:
        urls: where clips lie that are not local files.
        faults: why nothing can be made of a clip, of those of which nothing can.
        folder: of copies, if it is there; one that is made, and removed at the end, for none.
    """

    def __init__(
        self,
        urls: Mapping[AnyVideo, str] | None = None,
        *,
        faults: Mapping[AnyVideo, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._urls = urls or {}
        self._faults = faults or {}
        self._given = folder
        self._stack = ExitStack()
        self._folder: Path | None = None
        self._url: str | None = None
        self._info: RemoteInfo | None = None
        self._path = Path()

    def __enter__(self) -> "LocalCopies":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was copied."""
        self._stack.close()
        self._folder = self._url = None

    @contextmanager
    def opened(self, video: AnyVideo) -> Iterator[AnyVideo]:
        """A clip as a local file, or a range of one; what is said of it names its URL.

        Raises:
            VideoError: it cannot be copied, or has a fault.
        """
        if video in self._faults:
            raise VideoError(self._faults[video])
        url = self._urls.get(video)
        if url is None:
            yield video
            return
        with self.naming():
            path = self.path(url)
            yield video._replace(path=path) if isinstance(video, VideoRange) else path

    def path(self, location: str) -> Path:
        """Where the file of a location lies here; a URL is copied unless the last copy is of it, unchanged.

        Raises:
            VideoError: it cannot be copied.
            OptionError: a package is missing.
        """
        if not is_url(location):
            return Path(location)
        info = remote_info(location)
        if self._url != location or info is None or self._info != info or not self._path.exists():
            self._copy(location, -1 if info is None else info.bytes)
            self._url, self._info = location, info
        return self._path

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Name URLs, not copies of theirs, in the errors and warnings of the body."""
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            try:
                yield
            except TubeletError as error:
                text = self.renamed(str(error))
                if text == str(error):
                    raise
                raise type(error)(text) from error
            finally:
                said = list(heard)
        for each in said:
            warnings.warn(self.renamed(str(each.message)), each.category, stacklevel=3)

    def renamed(self, text: str) -> str:
        """A text with the URL in the place of the copy's path."""
        return text if self._url is None else text.replace(str(self._path), without_secrets(self._url))

    def _copy(self, url: str, size: int) -> None:
        """Copy a file of which the server says how many bytes it has; -1 if it does not say."""
        if self._folder is None:
            given = self._given if self._given is not None and self._given.is_dir() else None
            self._folder = Path(tempfile.mkdtemp(dir=given or self._stack.enter_context(copies_folder())))
        with suppress(OSError):
            self._path.unlink()
        self._url = None
        # The name goes into files that are made of it.
        self._path = self._folder / (name_in(url) or "video")
        for attempt in range(_TRIES):
            try:
                system, path = _open(url)
                system.get_file(path, str(self._path))
                _check_whole(self._path, size)
            except (OptionError, KeyboardInterrupt):
                raise
            except FileNotFoundError as error:
                raise VideoError(f"{without_secrets(url)}: no such file. Check the URL.") from error
            except Exception as error:
                if attempt == _TRIES - 1:
                    raise VideoError(f"{without_secrets(url)} cannot be read: {_reason(error)}.") from error
                time.sleep(_PAUSE * 2**attempt)
            else:
                return


def _check_whole(path: Path, size: int) -> None:
    """Raise unless a copy has all bytes; where an answer states no length, one that is cut off looks whole.

    Raises:
        EOFError: it has not.
    """
    if (found := path.stat().st_size) < size:
        raise EOFError(f"{found} of {size} bytes came")


def _open(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises:
        OptionError: there is none, or the package for it is missing.
    """
    try:
        return import_module("fsspec.core").url_to_fs(url)
    except ImportError as error:
        raise OptionError(
            f"{without_secrets(url)} needs a package that is missing ({error}). Install it with "
            "`pip install 'tubelet[remote]'`."
        ) from error
    except ValueError as error:
        raise OptionError(f"{without_secrets(url)} cannot be opened: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    """What a file system says, in one line, without secrets."""
    return without_secrets(" ".join(f"{type(error).__name__}: {error}".split()))[:300].rstrip(" .:")


def _nanoseconds(value: object) -> int | None:
    """A time of a file system in nanoseconds since 1970; none if it says none."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value) if "-" in value[:8] else parsedate_to_datetime(value)
        if isinstance(value, datetime):
            return int(value.timestamp()) * 10**9
        return int(float(value) * 10**9) if isinstance(value, int | float) else None
    except (ValueError, TypeError, OverflowError):
        return None


def tag_number(info: RemoteInfo) -> int:
    """A number that differs where tags differ."""
    return int(hashlib.sha256(info.tag.encode()).hexdigest()[:15], 16) if info.tag else 0
