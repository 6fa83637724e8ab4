"""The command line, run in the process of the test, and a browser."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from commands import Ended

from tubelet.cli.main import main

CHROMIUM = shutil.which("chromium")
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


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


@pytest.fixture(scope="module")
def launch() -> Iterator[Callable[..., Any]]:
    """Start chromium with further arguments; what was started ends with the module."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium to show the page")
    with sync_api.sync_playwright() as playwright:
        started: list[Any] = []

        def start(*arguments: str) -> Any:
            args = ["--no-sandbox", *arguments]
            started.append(playwright.chromium.launch(executable_path=CHROMIUM, args=args))
            return started[-1]

        yield start
        for browser in started:
            browser.close()


@pytest.fixture(scope="module")
def browser(launch: Callable[..., Any]) -> Any:
    """A browser that has a camera, of an imitated picture."""
    return launch(*FAKE_CAMERA)
