"""The command line, run in the process of the test, and a browser."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from commands import Ended

from tubelet.cli.main import main
from tubelet.serve.site import STATIC

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


@pytest.fixture(scope="module")
def scripts(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A page with nothing on it, of a server that has the page's scripts."""
    empty = tmp_path_factory.mktemp("page") / "index.html"
    empty.write_text("<!doctype html><title>empty</title>")
    names = {path.name: path for path in STATIC.glob("*.js")}
    with import_module("page_in_browser").serving({"index.html": empty} | names) as url:
        page = browser.new_page()
        page.goto(url)
        yield page
        page.close()


@pytest.fixture(scope="module")
def url(checkpoint: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page of a module's `checkpoint` is served."""
    # Imported where it is asked for: it skips what imports it where no page can be served or shown.
    in_browser = import_module("page_in_browser")
    with in_browser.served(checkpoint, tmp_path_factory.mktemp("cache")) as url:
        yield url


@pytest.fixture(scope="module")
def page(browser: Any, url: str) -> Iterator[Any]:
    """One page for all tests of a module; each opens what it needs."""
    yield from import_module("page_in_browser").opened(browser, url, 1400, 900)
