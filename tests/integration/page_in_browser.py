"""The page of `tubelet serve`, open in a browser: what its tests do with it."""

import base64
import re
from typing import Any

import numpy as np
from playwright.sync_api import Page, expect

PATIENCE = 60_000
"""Milliseconds that a busy machine may take for anything."""


expect.set_options(timeout=PATIENCE)


class OpenPage:
    """A page that is open, and what went wrong on it.

    Args:
        page: of the browser.
        url: where it is served.
    """

    def __init__(self, page: Page, url: str) -> None:
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

    def has_read(self, frames: int) -> None:
        """Wait until so many frames are read and encoded."""
        expect(self.page.locator("#frame")).to_have_attribute("max", str(frames - 1))

    def seek(self, frame: int) -> None:
        """Stop at a frame, and wait for it."""
        self.set("#frame", frame)
        expect(self.page.locator("#frame-number")).to_have_text(re.compile(rf"^{frame + 1} / "))

    def set(self, slider: str, value: int) -> None:
        """Move a slider, as a hand does."""
        self.page.locator(slider).fill(str(value))

    def pixels(self, canvas: str) -> np.ndarray:
        """What a canvas shows: rows, columns, colours."""
        found = self.page.locator(canvas).evaluate(
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

    def waits_for_another(self, element: str, text: str) -> None:
        """Wait until an element says something else."""
        expect(self.page.locator(element)).not_to_have_text(text)
