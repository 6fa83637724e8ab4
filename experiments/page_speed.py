"""How soon the page shows something, and how many frames a second it computes, in Chromium on this machine.

    tubelet serve --tokenizer tubelet-s --output SITE
    python experiments/page_speed.py SITE [--seconds 15]

The page is opened with WebAssembly and the clip that is built in (256x144, 97 frames), which it encodes and
decodes while it plays it. *First result*: seconds from asking for the page to a PSNR on it. Then, once a
second, what the page itself says: frames a second, milliseconds a frame there and back, how far the clip is.
"""

import argparse
import threading
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tubelet.serve.server import PageServer

CHROMIUM = "/usr/bin/chromium"


def main() -> None:
    """Open the page, and print what it says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("site", type=Path, help="folder that `tubelet serve --output` made")
    parser.add_argument("--seconds", type=int, default=15, help="how long it is watched (default: 15)")
    arguments = parser.parse_args()
    files = {path.name: path for path in arguments.site.iterdir()}
    with PageServer(files, port=0) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        watch(browser.new_page(viewport={"width": 1400, "height": 900}), server.url, arguments.seconds)
        browser.close()


def watch(page: Page, address: str, seconds: int) -> None:
    """Print when the first result is there, and then the page's own figures once a second."""
    began = time.monotonic()
    page.goto(f"{address}?runtime=wasm")
    page.wait_for_function("() => document.querySelector('#psnr')?.textContent.includes('dB')")
    print(f"first result after {time.monotonic() - began:.1f} s")
    for _ in range(seconds):
        time.sleep(1)
        speed, each = (page.locator(place).inner_text() for place in ("#speed", "#speed-sub"))
        frames = page.locator("#frame").get_attribute("max")
        print(f"{time.monotonic() - began:5.1f} s  {speed}  {each}  {frames} frames are there")


if __name__ == "__main__":
    main()
