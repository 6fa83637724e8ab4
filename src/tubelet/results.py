"""Numbers that a run produced, with how they were produced, as JSON."""

import json
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tubelet.files import STANDARD_OUTPUT, replacing
from tubelet.files.names import text_name
from tubelet.files.urls import without_secrets
from tubelet.json_text import without_infinities

_PACKAGES = ("tubelet", "torch", "numpy", "av", "constriction")


def circumstances() -> dict[str, Any]:
    """Where, when and with what a figure was measured."""
    return {
        "command": text_name(" ".join([_program(), *map(without_secrets, sys.argv[1:])])),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": {"cpu": _processor(), "cores": os.cpu_count(), "system": platform.platform()},
        "versions": {"python": platform.python_version()} | {name: version_of(name) for name in _PACKAGES},
    }


def write_results(target: Path, *, protocol: str, figures: dict[str, Any], force: bool = True) -> None:
    """Write figures and their circumstances.

    Args:
        target: a ``.json`` file, or `STANDARD_OUTPUT`.
        protocol: what was measured and how, in words.
        figures: the numbers; units belong into their names.
        force: whether a file of that name is replaced.

    Infinity and NaN, such as the PSNR of equal clips, are written as null: JSON has no such numbers.

    Raises:
        OutputError: the file cannot be written.
    """
    finite = without_infinities(figures, lambda _: None)
    content = {"protocol": protocol, "figures": finite, "circumstances": circumstances()}
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # Names may hold bytes that are not UTF-8; JSON has a way to write them.
    text = re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)
    if target == STANDARD_OUTPUT:
        sys.stdout.write(text)
        return
    with replacing(target, force=force) as path:
        path.write_text(text, encoding="utf-8")


def version_of(package: str) -> str | None:
    """The installed version of a package; none where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _program() -> str:
    """What was started, as one would type it but for the folder of a script."""
    path = Path(sys.argv[0])
    return f"python -m {path.parent.name}" if path.name == "__main__.py" else path.name


def _processor() -> str:
    """The name of the processor, as far as the system tells it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str | None:
    """The commit of the source that runs, if it runs from a repository."""
    # An environment inside somebody's repository is not part of it: this very file must be tracked there.
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    return _git("rev-parse", "--short", "HEAD")


def _git(*arguments: str) -> str | None:
    """What git says in the folder of this file; None if it says nothing good."""
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *arguments],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
