"""The page that is committed was built of the sources that are committed."""

import hashlib
import json
from pathlib import Path

from tubelet.serve.site import STATIC

WEB = Path(__file__).parents[3] / "web"
BUILT = json.loads((STATIC / "built.json").read_text())
OTHER = ["index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts"]
CURE = "run `npm ci && npm run build` in web/"


def hashes(folder: Path, names: list[str]) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sorted(names)}


def files(folder: Path) -> list[str]:
    return [each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()]


def test_the_build_is_of_the_sources():
    sources = OTHER + [f"src/{name}" for name in files(WEB / "src")]
    assert hashes(WEB, sources) == BUILT["sources"], CURE


def test_the_build_is_as_it_was_made():
    assert hashes(STATIC, [name for name in files(STATIC) if name != "built.json"]) == BUILT["built"], CURE


def test_the_build_is_small():
    assert sum((STATIC / name).stat().st_size for name in files(STATIC)) < 11.5e6


def test_licences_of_what_is_bundled_come_with_it():
    text = (STATIC / "licences.txt").read_text()
    for name in json.loads((WEB / "package.json").read_text())["dependencies"]:
        assert f"(npm: {name}" in text
