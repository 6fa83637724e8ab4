"""The page of a tokenizer whose latent has several parts: each on its grid, kept and stored by itself."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from page_in_browser import (
    FRAMES,
    HEIGHT,
    WIDTH,
    OpenPage,
    assert_same_pictures,
    expect,
    frames_of,
    opened,
    serving,
    write_waves,
)
from parts_model import PARTS, PartsModel

from tubelet.bitstream.reader import TubeReader
from tubelet.checkpoint import Checkpoint, find, read_continuous
from tubelet.codec.decode import decode_file
from tubelet.codec.encode import encode_file
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.video.pixels import from_model, to_model

FLAT = 1e-2
"""Share of samples that may be a level apart: pictures are rectangles, and each is rounded as one."""


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint[ContinuousTokenizer]:
    return Checkpoint(name="parts", tokenizer=ContinuousTokenizer(PartsModel()), sha256="ef" * 32)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_waves(tmp_path_factory.mktemp("clip") / "small.mp4")


@torch.no_grad()
def by_parts(checkpoint, source: np.ndarray, kept: dict[str, int]) -> np.ndarray:
    """What torch computes of the first channels of each part."""
    tokenizer = checkpoint.tokenizer.eval()
    latents = tokenizer.encode_parts(to_model(source), channels=kept)
    frames, height, width = source.shape[:3]
    return from_model(tokenizer.decode_parts(latents, frames=frames, height=height, width=width))


def keep(page: OpenPage, part: str, channels: int) -> None:
    page.page.locator("#part").select_option(label=part)
    page.set("#channels", channels)


def check_saved(page: OpenPage, checkpoint, folder: Path) -> tuple[int, ...]:
    """Tubelet decodes what the page saves to what the page shows; the channels of each part."""
    saved, back = folder / "saved.tube", folder / "back.npy"
    found = frames_of(page, "#result", FRAMES)
    page.save(saved)
    decode_file(saved, back, tokenizer=checkpoint)
    assert_same_pictures(found, np.load(back), share=FLAT)
    with TubeReader(saved) as reader:
        assert (reader.complete, reader.header.version) == (True, 3)
        return tuple(part.channels for part in reader.header.parts)


def test_each_part_is_computed_as_torch_does(page, checkpoint, clip):
    page.open_video(clip)
    page.page.locator("#step").select_option("0")
    source = frames_of(page, "#source", FRAMES)
    assert_same_pictures(frames_of(page, "#result", FRAMES), by_parts(checkpoint, source, {}), share=FLAT)
    keep(page, "rows", 1)
    keep(page, "whole", 2)
    expected = by_parts(checkpoint, source, {"whole": 2, "rows": 1})
    assert_same_pictures(frames_of(page, "#result", FRAMES), expected, share=FLAT)
    # A position of 4 x 16 x 16 pixels has 2 numbers of the whole, 8 of rows and 48 of columns.
    assert page.text("#numbers") == "53 : 1"
    page.page.locator("#part").select_option(label="rows")
    assert page.text("#kept") == "1"
    assert page.page.locator("#marks button").all_inner_texts() == ["1"]


def test_each_part_is_pictures_of_its_own(page, clip):
    page.open_video(clip)
    assert page.page.locator("#tiles h3").evaluate_all("(all) => all.map((one) => one.firstChild.data)") == [
        part.name for part in PARTS
    ]
    cells = {"height": -(-HEIGHT // 16), "width": -(-WIDTH // 16)}
    for part, row in zip(PARTS, page.page.locator("#tiles .tiles").all(), strict=True):
        pictures = row.locator("canvas")
        assert pictures.count() == part.channels
        size = pictures.first.evaluate("({ height, width }) => ({ height, width })")
        _, h, w = part.stride
        assert size == {"height": 16 // h * cells["height"], "width": 16 // w * cells["width"]}
    # A click on a picture keeps the channels up to it, of its part.
    page.page.locator("#tiles .tiles").nth(2).locator(".tile").nth(1).click()
    assert page.page.locator("#part option:checked").inner_text() == "columns"
    assert page.text("#kept") == "2"
    assert page.page.locator("#tiles .left-out").count() >= 1
    keep(page, "columns", 3)


def test_later_frames_of_a_step_have_pictures_of_their_own(page, clip):
    """A step of four frames has one picture of the whole, two of rows and four of columns."""
    page.open_video(clip)
    drawn = []
    for frame in (1, 2, 3):
        page.seek(frame)
        canvases = page.page.locator("#tiles .tiles").all()
        drawn.append([page.pixels_of(each.locator("canvas").first) for each in canvases])
    first, second, third = drawn
    for part, frames_alike in enumerate((True, True, False)):
        assert np.array_equal(first[part], second[part]) == frames_alike
    assert np.array_equal(first[0], third[0])
    assert not np.array_equal(first[1], third[1])


@pytest.mark.parametrize("lead_frame", [True, False])
def test_files_of_parts_that_tubelet_wrote_are_shown(page, checkpoint, clip, tmp_path, lead_frame):
    own = Checkpoint(
        name="parts",
        tokenizer=ContinuousTokenizer(checkpoint.tokenizer.model, lead_frame=lead_frame),
        sha256=checkpoint.sha256,
    )
    file, back = tmp_path / "parts.tube", tmp_path / "back.npy"
    encode_file(clip, file, tokenizer=own)
    decode_file(file, back, tokenizer=own)
    page.choose(file)
    expect(page.page.locator("#result-name")).to_have_text("parts.tube, decoded by parts")
    page.shows(WIDTH, HEIGHT)
    for part in PARTS:
        keep(page, part.name, part.channels)
    assert_same_pictures(frames_of(page, "#result", FRAMES), np.load(back), share=FLAT)


def test_tubelet_decodes_the_parts_that_the_page_saves(page, checkpoint, clip, tmp_path):
    page.open_video(clip)
    page.page.locator("#step").select_option("0.5")
    keep(page, "rows", 2)
    assert check_saved(page, checkpoint, tmp_path) == (3, 2, 3)
    keep(page, "rows", 3)


def test_on_a_phone_parts_are_no_wider_than_the_window(browser, url):
    for phone in opened(browser, url, 400, 860, has_touch=True, color_scheme="dark"):
        assert phone.page.locator("html").evaluate("(root) => root.scrollWidth <= root.clientWidth")
        assert phone.page.locator("#part").bounding_box()["height"] >= 34


@pytest.mark.slow
def test_motion_is_kept_whole_and_content_is_not(browser, clip, tmp_path):
    """Vectors are searched in the browser, too; the slider is about content alone."""
    checkpoint, site = read_continuous(find("klt-4x8x8-motion")), tmp_path / "site"
    # By the command: types are not checked there, as the exporter's sizes are no numbers.
    export = [sys.executable, "-m", "tubelet", "serve", "--tokenizer", checkpoint.name, "--output", site]
    subprocess.run(export, check=True, capture_output=True)
    with serving({each.name: each for each in site.iterdir()}) as url:
        for page in opened(browser, url, 1000, 900):
            page.open_video(clip)
            page.page.locator("#step").select_option("0")
            page.set("#channels", 20)
            source = frames_of(page, "#source", FRAMES)
            expected = by_parts(checkpoint, source, {"content": 20})
            assert_same_pictures(frames_of(page, "#result", FRAMES), expected)
            assert page.page.locator("#part-choice").is_hidden()
            page.page.locator("#step").select_option("1")
            assert check_saved(page, checkpoint, tmp_path) == (6, 1, 20)
            # Vectors have a prior, content has tables.
            file, back = tmp_path / "motion.tube", tmp_path / "decoded.npy"
            encode_file(clip, file, tokenizer=checkpoint.name)
            decode_file(file, back)
            page.choose(file)
            expect(page.page.locator("#result-name")).to_contain_text("motion.tube, decoded by")
            page.shows(WIDTH, HEIGHT)
            assert_same_pictures(frames_of(page, "#result", FRAMES), np.load(back), share=FLAT)
