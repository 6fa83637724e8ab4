"""Print the lowest versions that pyproject.toml allows of what a user installs, as constraints for pip.

    python scripts/lowest.py > lowest.txt ; pip install -c lowest.txt -e '.[dev]'

Tools of the developers (the extra `dev` itself) stay free: their lowest versions are nobody's promise.
"""

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def lowest(text: str) -> dict[str, str]:
    """The lowest version of each dependency that users install, by its name.

    Args:
        text: of a pyproject.toml.
    """
    project = tomllib.loads(text)["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(each for name in extras if name != "dev" for each in extras[name])]
    found: dict[str, str] = {}
    for requirement in wanted:
        if match := re.match(r"([\w.-]+)(?:\[[\w,]+\])?\s*>=\s*([\w.]+)", requirement):
            found[match[1]] = max(found.get(match[1], "0"), match[2], key=_version)
    return found


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


if __name__ == "__main__":
    for name, version in lowest(PROJECT.read_text(encoding="utf-8")).items():
        print(f"{name}=={version}.*" if version.count(".") < 2 else f"{name}=={version}")
