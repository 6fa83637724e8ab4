"""Build or serve the documentation: `python scripts/docs build`, `python scripts/docs serve`.

The pages go to build/docs/site and work from any web host, or from the files themselves.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from assemble import assemble
from check import faults
from pages import ROOT

BUILD = ROOT / "build" / "docs"


def main() -> int:
    """Do what was asked; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python scripts/docs")
    parser.add_argument("what", choices=("build", "serve"))
    parser.add_argument("--address", default="localhost:8000", metavar="HOST:PORT", help="where to serve")
    arguments = parser.parse_args()
    program = shutil.which("zensical", path=str(Path(sys.executable).parent)) or shutil.which("zensical")
    if program is None:
        sys.stderr.write("the generator of the site is missing: pip install 'tubelet[docs]'\n")
        return 1
    configuration = assemble(BUILD)
    if arguments.what == "serve":
        command = [program, "serve", "-f", str(configuration), "-a", arguments.address]
        return subprocess.run(command, check=False).returncode
    built = subprocess.run([program, "build", "--clean", "--strict", "-f", str(configuration)], check=False)
    if built.returncode:
        return built.returncode
    if found := faults(BUILD / "site"):
        sys.stderr.write("\n".join(found) + f"\n{len(found)} faults\n")
        return 1
    sys.stderr.write(f"{BUILD / 'site' / 'index.html'}: no fault\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
