"""The command line, run in the process of the test."""

import os
import signal

import pytest
from commands import Ended

from tubelet.cli.main import main


@pytest.fixture
def cli(capsys, monkeypatch):
    """Run the command line in this process."""
    monkeypatch.setenv("OMP_WAIT_POLICY", os.environ.get("OMP_WAIT_POLICY", "PASSIVE"))

    def run(*arguments: object) -> Ended:
        before = {
            number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return Ended(code, *capsys.readouterr())

    return run
