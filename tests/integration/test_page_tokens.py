"""The page of a discrete tokenizer: tokens are those of torch, a map tells them, and files hold them."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    served,
    write_waves,
)

from tubelet.bitstream.reader import TubeReader
from tubelet.checkpoint import Checkpoint, read_discrete
from tubelet.codec.decode import decode_file
from tubelet.codec.tokens.tokenize import tokenize_file
from tubelet.quantizers.digits import digits_to_tokens
from tubelet.quantizers.fsq import FSQ
from tubelet.quantizers.residual_vq import ResidualVQ
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.video.pixels import to_model

GOLDEN = Path(__file__).parents[1] / "golden"
STEPS = 3
ROWS, COLUMNS = 7, 9
EDGE = 1e-4
"""How far float32 in a browser is from that of torch."""

MakeTokenizer = Callable[..., Any]


@pytest.fixture(scope="module")
def checkpoint(make_tokenizer: MakeTokenizer) -> Checkpoint[DiscreteTokenizer]:
    """Two tokens a position, of networks that look back."""
    made = make_tokenizer(width=16, encoder_blocks=1, decoder_blocks=2, channels=4)
    quantizer = FSQ((8, 5, 6, 3), tokens=2)
    quantizer.gain.copy_(torch.linspace(0.5, 1.5, 4))
    return Checkpoint(name="digits", tokenizer=DiscreteTokenizer(made.tokenizer, quantizer), sha256="5" * 64)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_waves(tmp_path_factory.mktemp("clip") / "small.mp4")


@pytest.fixture(scope="module")
def file(checkpoint, clip) -> Path:
    """The tokens of the clip, as tubelet writes them."""
    target = clip.with_suffix(".tube")
    tokenize_file(clip, target, tokenizer=checkpoint)
    return target


def digits_in(file: Path) -> torch.Tensor:
    """All digits of a file: d t h w."""
    with TubeReader(file) as reader:
        assert reader.complete
        chunks = [reader.read_chunk(number).symbols for number in range(len(reader.chunks))]
    return torch.from_numpy(np.concatenate(chunks, axis=1))


@torch.no_grad()
def assert_tokens_of_torch(digits: torch.Tensor, tokenizer: DiscreteTokenizer, source: np.ndarray) -> None:
    """Equal, but where the latent is as near the edge of two values as float32 is exact."""
    latent = tokenizer.backbone.encode(to_model(source))
    quantize = tokenizer.quantizer.quantize
    low, exact, high = (quantize(latent + shift)[0].int() for shift in (-EDGE, 0, EDGE))
    assert ((low <= digits) & (digits <= high)).all()
    assert (digits != exact).float().mean() < 2e-3


def check_encoding(page: OpenPage, checkpoint, clip: Path, folder: Path) -> None:
    page.open_video(clip)
    source, found = frames_of(page, "#source", FRAMES), frames_of(page, "#result", FRAMES)
    file, back = folder / "saved.tube", folder / "back.npy"
    page.save(file)
    assert_tokens_of_torch(digits_in(file), checkpoint.tokenizer, source)
    decode_file(file, back, tokenizer=checkpoint)
    assert_same_pictures(found, np.load(back))
    with TubeReader(file) as reader:
        assert (reader.header.version, reader.header.parts[0].bases) == (2, checkpoint.tokenizer.bases)
        np.testing.assert_allclose(reader.timestamps() / 90000, np.arange(FRAMES) / 10, atol=1e-4)


def test_tokens_and_pictures_are_those_of_torch(page, checkpoint, clip, tmp_path):
    assert page.text("#headline") == "Watch a video become tokens, and come back"
    check_encoding(page, checkpoint, clip, tmp_path)
    # 126 tokens of 4 frames, ten frames a second.
    assert page.text("#numbers") == "315 /s"
    assert "40 and 18 values" in page.text("#numbers-sub")
    bits = float(re.search(r"([\d.]+) of 9\.5 a position", page.text("#bits-sub"))[1])
    assert 0 < bits <= 12
    assert page.decibels() > 5
    for hidden in ("#channels", "#step"):
        assert not page.page.locator(hidden).is_visible()


def test_the_map_tells_each_token(page, checkpoint, clip, tmp_path):
    page.open_video(clip)
    page.seek(6)
    page.save(tmp_path / "map.tube")
    digits = digits_in(tmp_path / "map.tube")
    tokens = digits_to_tokens(digits[None], checkpoint.tokenizer.bases)[0]
    colours = page.pixels("#map-picture")
    assert colours.shape == (ROWS, COLUMNS, 3)
    # The same colour for the same digits, and only for them.
    looks = {(*digits[:, 2, row, column].tolist(),) for row, column in np.ndindex(ROWS, COLUMNS)}
    assert len(np.unique(colours.reshape(-1, 3), axis=0)) == len(looks)
    map_, said = page.page.locator("#map"), page.page.locator("#token")
    box = map_.bounding_box()

    def text(row: int, column: int) -> str:
        first, second = tokens[:, 2, row, column].tolist()
        a, b, c, d = digits[:, 2, row, column].tolist()
        place = f"Row {row + 1}, column {column + 1}"
        return f"{place}: token {first} of 40: digits {a} {b}; token {second} of 18: digits {c} {d}"

    place = {"x": box["width"] * 4.5 / COLUMNS, "y": box["height"] * 2.5 / ROWS}
    map_.hover(position=place)
    expect(said).to_contain_text(text(2, 4))
    page.page.locator("#headline").hover()
    expect(said).to_have_text("Point at a position, or tap it, to see its token.")
    map_.click(position=place)
    page.page.locator("#headline").hover()
    expect(said).to_contain_text(text(2, 4))
    for key, row, column in (
        ("ArrowDown", 3, 4),
        ("ArrowRight", 3, 5),
        ("ArrowUp", 2, 5),
        ("ArrowLeft", 2, 4),
    ):
        page.page.keyboard.press(key)
        expect(said).to_contain_text(text(row, column))
    # Arrows on the map move no frame; what is beyond the edge is the edge.
    assert page.text("#frame-number").startswith("7 /")
    for _ in range(ROWS):
        page.page.keyboard.press("ArrowUp")
    expect(said).to_contain_text(text(0, 4))


def test_the_map_is_reached_by_the_keyboard_and_named(page):
    page.page.locator("#frame").focus()
    reached = []
    for _ in range(8):
        page.page.keyboard.press("Tab")
        reached.append(page.page.evaluate("document.activeElement.id"))
    assert "map" in reached
    assert page.page.locator("#map").evaluate(
        "(map) => document.getElementById(map.getAttribute('aria-labelledby')).textContent"
    )
    named = "button:visible, select:visible, input:visible, [role=img]:visible"
    for control in page.page.locator(named).all():
        name = control.evaluate("(one) => one.ariaLabel || one.labels?.[0]?.textContent || one.textContent")
        assert name.strip(), control.evaluate("(one) => one.outerHTML")


@pytest.mark.parametrize("lead_frame", [True, False])
def test_tokens_that_tubelet_wrote_are_decoded(page, checkpoint, clip, tmp_path, lead_frame):
    """Also those whose first frame is no step of its own: the same tokenizer makes both."""
    backbone = ContinuousTokenizer(checkpoint.tokenizer.backbone.model, lead_frame=lead_frame)
    own = replace(checkpoint, tokenizer=DiscreteTokenizer(backbone, checkpoint.tokenizer.quantizer))
    file, back = tmp_path / f"lead-{lead_frame}.tube", tmp_path / "back.npy"
    tokenize_file(clip, file, tokenizer=own)
    decode_file(file, back, tokenizer=own)
    page.choose(file)
    expect(page.page.locator("#result-name")).to_have_text(f"{file.name}, decoded by digits")
    page.shows(WIDTH, HEIGHT)
    assert_same_pictures(frames_of(page, "#result", FRAMES), np.load(back))
    assert page.text("#psnr") == "none"
    assert page.page.locator("#save").is_disabled()


def test_files_of_others_are_colours_or_refused_and_damage_is_said(page, file):
    problem = page.page.locator("#problem")
    page.choose(GOLDEN / "version2.tube")
    expect(page.page.locator("#result-name")).to_contain_text("version2.tube: a colour for each token")
    expect(page.page.locator("#map-facts")).to_contain_text("15 positions")
    page.choose(GOLDEN / "version1.tube")
    expect(problem).to_contain_text("the file is one of golden, and this page computes with digits")
    content = file.read_bytes()
    changed = bytearray(content)
    changed[len(content) // 2] ^= 1
    for wrong, said in ((bytes(changed), "damaged"), (content[:-30], "cut short")):
        page.choose({"name": "wrong.tube", "mimeType": "", "buffer": wrong})
        expect(problem).to_contain_text(said)
    page.choose(file)
    expect(problem).to_be_hidden()


def test_on_a_phone_the_map_is_tapped(browser, url, clip):
    for phone in opened(browser, url, 400, 860, has_touch=True, color_scheme="dark"):
        phone.open_video(clip)
        phone.seek(1)
        assert phone.page.locator("html").evaluate("(root) => root.scrollWidth <= root.clientWidth")
        phone.page.locator("#map").tap()
        expect(phone.page.locator("#token")).to_contain_text("Row 4, column 5: token")


@torch.no_grad()
def test_entries_of_codebooks_are_tokens_too(browser, checkpoint, clip, tmp_path):
    quantizer = ResidualVQ(4, 600, 2)
    generator = torch.Generator().manual_seed(0)
    quantizer.fit(torch.randn(2000, 4, generator=generator), generator=generator)
    tokenizer = DiscreteTokenizer(checkpoint.tokenizer.backbone, quantizer)
    entries = Checkpoint(name="entries", tokenizer=tokenizer, sha256="6" * 64)
    file, back = tmp_path / "saved.tube", tmp_path / "back.npy"
    with served(entries, tmp_path) as url:
        for page in opened(browser, url, 900, 700):
            page.open_video(clip)
            source, found = frames_of(page, "#source", FRAMES), frames_of(page, "#result", FRAMES)
            page.save(file)
            expect(page.page.locator("#numbers-sub")).to_contain_text("600 and 600 values")
    exact = quantizer.quantize(tokenizer.backbone.encode(to_model(source)))[0].int()
    assert (digits_in(file) != exact).float().mean() < 2e-2
    decode_file(file, back, tokenizer=entries)
    assert_same_pictures(found, np.load(back))


@pytest.mark.slow
def test_the_shipped_tokenizer_too(browser, clip, tmp_path):
    checkpoint = read_discrete("tubelet-fsq")
    with served(checkpoint, tmp_path) as url:
        for page in opened(browser, url, 900, 700):
            check_encoding(page, checkpoint, clip, tmp_path)
