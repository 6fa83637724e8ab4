"""Checkpoints on the Hugging Face hub: fetched by the name of a repository, and put there.

A repository holds what a folder of a checkpoint holds, and its card once more as ``README.md``. Nothing that
is fetched is executed; the readers of checkpoints look at all of it. Needs the extra `hub`.
"""

import logging
import re
import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from tubelet.errors import CheckpointError, OptionError, OutputError
from tubelet.given import check_texts

_LOG = logging.getLogger("tubelet.hub")

FILES = ("config.json", "weights.safetensors", "card.md")
"""What is fetched of a repository, and put there."""

_REPOSITORY = re.compile(r"(?P<repository>[\w][\w.-]*/[\w][\w.-]*)(@(?P<revision>[\w.-]+))?")
_HEADER = "---\nlibrary_name: tubelet\ntags: [video, tokenizer, autoencoder]\n---\n\n"


@runtime_checkable
class Savable(Protocol):
    """What writes itself as a folder: a `ContinuousTokenizer` or a `DiscreteTokenizer`."""

    def save(self, folder: Path | str, *, card: str | None = None, force: bool = False) -> Path:
        """Write a checkpoint."""
        ...


def is_repository(name: str) -> bool:
    """Whether a name may be that of a repository, ``owner/name`` or ``owner/name@revision``, and no path.

    A path whose first folder is there is a path, whatever is or is not in that folder.
    """
    return _REPOSITORY.fullmatch(name) is not None and not Path(name.partition("/")[0]).exists()


def fetch(name: str) -> Path:
    """The folder of a checkpoint that lies on the hub; what was fetched before is not fetched again.

    Args:
        name: ``owner/name``, or ``owner/name@revision``: a branch, a tag or a commit.

    Raises:
        CheckpointError: it is not there, or cannot be reached, or huggingface_hub is not installed.
    """
    folder = fetch_files(name, FILES)
    if not (folder / FILES[0]).is_file():
        raise CheckpointError(
            f"the repository {name!r} has no {FILES[0]}; it holds no checkpoint of tubelet."
        )
    return folder


def fetch_files(name: str, patterns: Sequence[str]) -> Path:
    """The folder of some files of a repository; what was fetched before is not fetched again.

    Args:
        name: ``owner/name``, or ``owner/name@revision``.
        patterns: which of its files, ``*`` for any characters.

    Raises:
        CheckpointError: it is not there, or cannot be reached, or huggingface_hub is not installed.
    """
    found = _REPOSITORY.fullmatch(name)
    if found is None:
        raise CheckpointError(
            f"{name!r} is not a repository of the hub; it reads owner/name or owner/name@revision."
        )
    try:
        hub = _package(f"{name!r} is not a folder here, and to look for it on the hub")
    except OptionError as error:
        raise CheckpointError(str(error)) from error
    try:
        folder = hub.snapshot_download(
            found["repository"],
            revision=found["revision"],
            allow_patterns=list(patterns),
            library_name="tubelet",
        )
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{name!r} is not a folder here, and cannot be fetched from the hub: {_reason(error)}. Check the "
            "name, the network, and for a private repository that you are logged in."
        ) from error
    _LOG.debug("%s lies in %s", name, folder)
    return Path(folder)


def push_to_hub(
    tokenizer: Savable | Path | str, repository: str, *, private: bool = False, token: str | None = None
) -> str:
    """Put a tokenizer into a repository of the hub, so that ``tubelet.load("owner/name")`` finds it.

    The repository is made if it is not there. Its page is the card; one without a header gets one that names
    tubelet and no licence: say in the card under which the weights are.

    Args:
        tokenizer: a tokenizer, or the folder of a checkpoint, also of a generator or a prior.
        repository: ``owner/name``.
        private: whether a repository that is made is seen by its owner alone.
        token: of the hub; the one that ``hf auth login`` stored for none.

    Returns:
        The address of the commit.

    Raises:
        CheckpointError: the folder holds no checkpoint.
        OptionError: `repository` is not a name of one, or huggingface_hub is not installed.
        OutputError: the hub cannot be reached, or refuses it.
    """
    check_texts(repository=repository)
    found = _REPOSITORY.fullmatch(repository)
    if found is None or found["revision"] is not None:
        raise OptionError(f"{repository!r} is not a name of a repository; it reads owner/name.")
    hub = _package("to put a tokenizer on the hub")
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / repository.partition("/")[2]
        if isinstance(tokenizer, Path | str):
            _copy(Path(tokenizer), folder)
        else:
            tokenizer.save(folder)
        (folder / "README.md").write_text(page(folder), encoding="utf-8")
        try:
            api = hub.HfApi(token=token, library_name="tubelet")
            api.create_repo(repository, private=private, exist_ok=True)
            done: Any = api.upload_folder(
                repo_id=repository,
                folder_path=folder,
                allow_patterns=[*FILES, "README.md"],
                commit_message="Put there by tubelet",
            )
        except (OSError, ValueError) as error:
            raise OutputError(
                f"{repository!r} cannot be put on the hub: {_reason(error)}. Check that you are "
                "logged in and may write there."
            ) from error
    return done.commit_url


def page(folder: Path) -> str:
    """The page of a repository: the card of a checkpoint, with a header."""
    card = (folder / "card.md").read_text(encoding="utf-8")
    return card if card.startswith("---\n") else _HEADER + card


def _copy(source: Path, target: Path) -> None:
    """Copy a checkpoint, and nothing else of its folder."""
    if missing := [name for name in FILES if not (source / name).is_file()]:
        raise CheckpointError(f"{source} has no {missing[0]}; it holds no checkpoint of tubelet.")
    target.mkdir(parents=True)
    for name in FILES:
        shutil.copyfile(source / name, target / name)


def _package(purpose: str) -> ModuleType:
    try:
        return import_module("huggingface_hub")
    except ModuleNotFoundError as error:
        raise OptionError(
            f"{purpose} needs the package {error.name!r}. Install it with `pip install 'tubelet[hub]'`."
        ) from error


def _reason(error: Exception) -> str:
    """The first line of what the library says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
