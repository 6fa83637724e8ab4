"""The page of `tubelet serve`, open in a browser: what its tests do with it."""

import base64
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tubelet.serve.server import PageServer
from tubelet.serve.site import site_files
from tubelet.video.pixels import from_model, to_model
from tubelet.video.write import Writer

# A module that imports this one is skipped where the page cannot be served or shown.
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")
pytest.importorskip("skimage", reason="scikit-image is not installed")
expect = sync_api.expect

PATIENCE = 60_000
"""Milliseconds that a busy machine may take for anything."""

FRAMES, HEIGHT, WIDTH = 9, 50, 70
"""Of the clip that tests open."""

expect.set_options(timeout=PATIENCE)


class OpenPage:
    """A page that is open, and what went wrong on it.

    Args:
        page: of the browser.
        url: where it is served.
    """

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.url = page, url
        self.problems: list[str] = []
        self.requests: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.problems.append(f"{kind}: {text}")

    def open(self) -> "OpenPage":
        """Load it, until the built-in clip is shown."""
        self.page.goto(self.url)
        self.shows(256, 144)
        return self

    def shows(self, width: int, height: int) -> None:
        """Wait until a clip of this size is shown."""
        canvas = self.page.locator("#result")
        expect(canvas).to_have_attribute("width", str(width))
        expect(canvas).to_have_attribute("height", str(height))
        expect(self.page.locator("#waiting")).to_be_hidden()

    def choose(self, path: Any) -> None:
        """Open a file, or what playwright takes for one."""
        self.page.locator("#file").set_input_files(path)

    def open_video(self, path: Path) -> None:
        """Open the clip of `write_waves`, until it is read and can be saved."""
        self.choose(path)
        self.shows(WIDTH, HEIGHT)
        self.has_read(FRAMES)

    def save(self, target: Path) -> str:
        """Save what is open, and give the name that the page suggests."""
        button = self.page.locator("#save")
        expect(button).to_be_enabled()
        with self.page.expect_download() as download:
            button.click()
        download.value.save_as(target)
        return download.value.suggested_filename

    def has_read(self, frames: int) -> None:
        """Wait until so many frames are read and encoded."""
        # All of the built-in clip is encoded, while it is shown.
        expect(self.page.locator("#frame")).to_have_attribute("max", str(frames - 1), timeout=5 * PATIENCE)

    def seek(self, frame: int) -> None:
        """Stop at a frame, and wait for it."""
        self.set("#frame", frame)
        expect(self.page.locator("#frame-number")).to_have_text(re.compile(rf"^{frame + 1} / "))
        self.settled()

    def settled(self) -> None:
        """Wait until what was asked for is shown."""
        expect(self.page.locator("#stage")).to_have_attribute("aria-busy", "false")

    def set(self, slider: str, value: int) -> None:
        """Move a slider, as a hand does."""
        self.page.locator(slider).fill(str(value))

    def pixels(self, canvas: str) -> np.ndarray:
        """What a canvas shows: rows, columns, colours."""
        return self.pixels_of(self.page.locator(canvas))

    @staticmethod
    def pixels_of(canvas: Any) -> np.ndarray:
        """The same of what playwright found."""
        found = canvas.evaluate(
            """(canvas) => {
                const { width, height } = canvas;
                const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
                let text = "";
                for (let at = 0; at < data.length; at += 4) {
                    text += String.fromCharCode(...data.subarray(at, at + 3));
                }
                return { width, height, text: btoa(text) };
            }"""
        )
        levels = np.frombuffer(base64.b64decode(found["text"]), np.uint8)
        return levels.reshape(found["height"], found["width"], 3)

    def text(self, element: str) -> str:
        """What an element says."""
        return self.page.locator(element).inner_text()

    def decibels(self) -> float:
        """The PSNR that it says."""
        return float(self.text("#psnr").removesuffix(" dB"))


@contextmanager
def served(checkpoint: Any, cache: Path) -> Iterator[str]:
    """Where the page of a tokenizer is served."""
    with site_files(checkpoint, cache) as files, serving(files) as url:
        yield url


@contextmanager
def serving(files: Mapping[str, Path]) -> Iterator[str]:
    """Where files are served, by their names."""
    with PageServer(files, port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.url
        server.shutdown()


def opened(
    browser: Any, url: str, width: int, height: int, *, query: str = "", **options: Any
) -> Iterator[OpenPage]:
    """The page in a window; in the end nothing may have gone wrong, and nobody else been asked."""
    page = OpenPage(browser.new_page(viewport={"width": width, "height": height}, **options), url + query)
    yield page.open()
    page.page.close()
    assert page.problems == []
    assert all(request.startswith((url, "data:", f"blob:{url}")) for request in page.requests)


def write_waves(target: Path) -> Path:
    """Nine frames of an odd size, in which something moves."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    with Writer(target, width=WIDTH, height=HEIGHT, time_base=Fraction(1, 10)) as writer:
        for index in range(FRAMES):
            wave = 128 + 90 * np.sin((columns + 3 * index) / 7) * np.cos(rows / 9)
            frame = np.stack([wave, wave[::-1], 255 - wave], axis=-1).astype(np.uint8)
            writer.write(frame[None], np.array([index]))
    return target


def frames_of(page: OpenPage, canvas: str, count: int) -> np.ndarray:
    shown = []
    for frame in range(count):
        page.seek(frame)
        shown.append(page.pixels(canvas))
    return np.stack(shown)


def by_torch(checkpoint, source: np.ndarray, channels: int) -> np.ndarray:
    tokenizer = checkpoint.tokenizer.eval()
    count, height, width = source.shape[:3]
    with torch.no_grad():
        latent = tokenizer.encode(to_model(source))[:, :channels]
        return from_model(tokenizer.decode(latent, frames=count, height=height, width=width))


def assert_same_pictures(found: np.ndarray, expected: np.ndarray, *, share: float = 1e-3) -> None:
    """Equal, but a level apart in a share of the samples."""
    apart = np.abs(found.astype(int) - expected)
    assert apart.max() <= 1
    assert (apart > 0).mean() < share


def luminance(colour: str) -> float:
    channels = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted([luminance(one), luminance(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)
