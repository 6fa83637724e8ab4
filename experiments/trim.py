"""Make results of an evaluation small enough to be stored: `python experiments/trim.py RESULTS TARGET`.

What is left out is the curves of frames, which players and plots of single clips need and pages of figures do
not. Figures keep seven significant digits, which is more than anybody reads.
"""

import argparse
import json
from pathlib import Path
from typing import Any


def main() -> None:
    """Read, trim and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="a results.json of tubelet evaluate")
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    content = trimmed(json.loads(arguments.results.read_text(encoding="utf-8")))
    arguments.target.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


def trimmed(value: Any) -> Any:  # noqa: ANN401  whatever JSON holds
    """The same without curves, and with shorter numbers."""
    match value:
        case float():
            return float(f"{value:.7g}")
        case dict():
            return {name: trimmed(each) for name, each in value.items() if name != "curves"}
        case list():
            return [trimmed(each) for each in value]
        case _:
            return value


if __name__ == "__main__":
    main()
