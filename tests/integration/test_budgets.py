"""What starting costs: the best of five fresh processes, because a busy machine only ever adds to it."""

import subprocess
import sys
import time
from pathlib import Path

RUNS = 5
IMPORT_SECONDS = 0.1
HELP_SECONDS = 0.3


def best(*command: str) -> float:
    """The shortest time of a whole process, interpreter included."""

    def once() -> float:
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    return min(once() for _ in range(RUNS))


def test_importing_tubelet_takes_less_than_a_tenth_of_a_second():
    code = "import time; t = time.perf_counter(); import tubelet; print(time.perf_counter() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        for _ in range(RUNS)
    ]
    assert min(map(float, runs)) < IMPORT_SECONDS


def test_help_takes_less_than_three_tenths_of_a_second():
    assert best(str(Path(sys.executable).with_name("tubelet")), "--help") < HELP_SECONDS
