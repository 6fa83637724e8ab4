"""The page of `tubelet serve` in a browser: it shows what torch computes, and everybody can use it."""

import re
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from page_in_browser import (
    FRAMES,
    HEIGHT,
    WIDTH,
    OpenPage,
    assert_same_pictures,
    by_torch,
    contrast,
    expect,
    frames_of,
    opened,
    write_waves,
)

from tubelet.bitstream.coding import MODEL
from tubelet.bitstream.reader import TubeReader
from tubelet.checkpoint import Checkpoint, find, read_continuous
from tubelet.codec.decode import decode_file
from tubelet.codec.encode import encode_file
from tubelet.priors.files import PRIORS
from tubelet.tokenizers.continuous import ContinuousTokenizer

IMITATED_CARD = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def checkpoint() -> Iterator[Checkpoint[ContinuousTokenizer]]:
    """A small tokenizer that ships, as if the prior of a larger one with as many channels were its own."""
    found = read_continuous(find("tubelet-s"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRIORS, found.sha256, "tubelet-m-prior")
        yield found


@pytest.fixture(scope="module")
def shared(browser, url) -> Iterator[OpenPage]:
    """One page for all tests that say what they need of it."""
    for page in opened(browser, url, 1400, 900):
        page.has_read(97)
        yield page


@pytest.fixture
def fresh(browser, url) -> Iterator[OpenPage]:
    yield from opened(browser, url, 900, 700)


@pytest.fixture
def phone(browser, url) -> Iterator[OpenPage]:
    yield from opened(browser, url, 400, 860, has_touch=True)


@pytest.fixture
def clip(tmp_path) -> Path:
    return write_waves(tmp_path / "small.mp4")


@pytest.mark.parametrize("channels", [64, 5])
def test_the_browser_shows_what_torch_computes(shared, checkpoint, channels):
    shared.page.locator("#step").select_option("0")
    shared.set("#channels", channels)
    source = frames_of(shared, "#source", FRAMES)
    found = frames_of(shared, "#result", FRAMES)
    assert_same_pictures(found, by_torch(checkpoint, source, channels))


def test_a_frame_far_inside_is_that_of_the_whole_clip(shared, checkpoint):
    """The decoder starts a few steps before; what came before them makes no difference."""
    shared.page.locator("#step").select_option("0")
    shared.set("#channels", 16)
    shared.seek(57)
    jumped = shared.pixels("#result")
    shared.seek(3)
    for frame in range(1, 58, 4):
        shared.seek(frame)
    shared.seek(57)
    assert_same_pictures(shared.pixels("#result"), jumped)


def test_the_slider_acts_at_once(shared):
    shared.page.locator("#step").select_option("1")
    shared.set("#channels", 4)
    shared.seek(20)
    found = []
    for channels in (1, 8, 64):
        shared.set("#channels", channels)
        shared.settled()
        assert shared.text("#kept") == str(channels)
        assert len(shared.page.locator(".tile:not(.left-out)").all()) == channels
        assert shared.text("#numbers").startswith({1: "768 : 1", 8: "96 : 1", 64: "12 : 1"}[channels])
        found.append(shared.decibels())
    assert found[0] + 4 < found[1] < found[2] - 4


def test_marks_at_the_slider_are_numbers_of_channels(shared):
    marks = shared.page.locator("#marks button")
    assert marks.all_inner_texts() == ["1", "4", "8", "16", "32", "48", "64"]
    marks.nth(2).click()
    assert shared.text("#kept") == "8"


def test_coarser_steps_take_fewer_bits(shared):
    shared.set("#channels", 32)
    shared.seek(20)
    rates = []
    for step in ("1", "4"):
        shared.page.locator("#step").select_option(step)
        shared.settled()
        rates.append(float(shared.text("#bits-sub").split()[0]))
    assert rates[1] < 0.7 * rates[0]


def test_everything_has_a_key(shared):
    page = shared.page
    shared.seek(20)
    page.locator("#stage").focus()
    for key, number in (("ArrowRight", 22), ("ArrowLeft", 21), ("Shift+ArrowRight", 31)):
        page.keyboard.press(key)
        expect(page.locator("#frame-number")).to_have_text(f"{number} / 97")
    kept = int(shared.text("#kept"))
    page.keyboard.press("+")
    assert int(shared.text("#kept")) == kept + 1
    page.keyboard.press("-")
    assert int(shared.text("#kept")) == kept
    for key, mode in (("h", "error"), ("h", "wipe"), ("s", "pair"), ("s", "wipe")):
        page.keyboard.press(key)
        assert page.locator("#stage").get_attribute("data-mode") == mode
    before = page.locator("#handle").get_attribute("aria-valuenow")
    page.keyboard.press("[")
    assert page.locator("#handle").get_attribute("aria-valuenow") != before
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#stage").focus()
    page.keyboard.press(" ")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Pause")
    page.keyboard.press(" ")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")


def test_every_control_is_reached_by_the_keyboard(shared):
    page = shared.page
    page.locator(".skip").focus()
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    wanted = {
        "theme",
        "help",
        "built-in",
        "open",
        "camera",
        "side",
        "stage",
        "handle",
        "play",
        "frame",
        "mode",
    }
    assert wanted | {"channels", "step"} <= reached


def test_every_control_has_a_name(shared):
    named = "button, select, input:not([hidden]), [role=slider], [role=img]"
    for control in shared.page.locator(named).all():
        name = control.evaluate("(one) => one.ariaLabel || one.labels?.[0]?.textContent || one.textContent")
        assert name.strip(), control.evaluate("(one) => one.outerHTML")


def test_the_error_is_dark_where_nothing_is_lost(shared):
    shared.set("#channels", 64)
    shared.page.locator("#step").select_option("0")
    shared.seek(20)
    shared.page.locator("#mode").select_option("error")
    good = shared.pixels("#result").mean()
    shared.set("#channels", 2)
    expect(shared.page.locator("#numbers")).to_have_text("384 : 1")
    assert shared.pixels("#result").mean() > 2 * good
    shared.page.locator("#mode").select_option("wipe")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough(shared, scheme):
    shared.page.emulate_media(color_scheme=scheme)
    colours = shared.page.evaluate(
        """(names) => Object.fromEntries(names.map((name) => {
            const probe = document.body.appendChild(document.createElement("i"));
            probe.style.color = `var(--${name})`;
            const found = getComputedStyle(probe).color;
            probe.remove();
            return [name, found];
        }))""",
        ["paper", "card", "faint", "ink", "soft", "accent", "bad", "edge"],
    )
    for ground in ("paper", "card", "faint"):
        for text in ("ink", "soft", "accent", "bad"):
            assert contrast(colours[ground], colours[text]) >= 4.5, (ground, text)
    for ground in ("paper", "card"):
        assert contrast(colours[ground], colours["edge"]) >= 3


WRONG = {
    "notes.txt": (b"no video at all, but some words " * 40, "notes.txt is not a video that can be read here"),
    "empty.mp4": (b"", "empty.mp4 is empty."),
    "broken.png": (b"\x89PNG\r\n\x1a\n and then nothing", "broken.png is not a picture"),
}


def test_a_wrong_file_is_named_and_the_page_goes_on(fresh):
    problem = fresh.page.locator("#problem")
    for name, (content, said) in WRONG.items():
        kind = "image/png" if name.endswith("png") else "video/mp4"
        fresh.choose({"name": name, "mimeType": kind, "buffer": content})
        expect(problem).to_contain_text(said)
    fresh.seek(1)
    fresh.page.locator("#built-in").click()
    expect(problem).to_be_hidden()


def test_a_video_of_any_size_is_shown(fresh, clip, checkpoint):
    fresh.open_video(clip)
    fresh.page.locator("#step").select_option("0")
    source = frames_of(fresh, "#source", FRAMES)
    found = frames_of(fresh, "#result", FRAMES)
    assert_same_pictures(found, by_torch(checkpoint, source, 16))


def test_an_animated_picture_is_a_clip(fresh, tmp_path):
    target = tmp_path / "three.gif"
    with av.open(target, "w") as container:
        stream = container.add_stream("gif", rate=10, width=40, height=24, pix_fmt="rgb8")
        for level in (0, 109, 255):
            picture = np.full((24, 40, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture).reformat(format="rgb8")))
        container.mux(stream.encode())
    fresh.choose(target)
    fresh.shows(40, 24)
    fresh.has_read(3)
    levels = frames_of(fresh, "#source", 3).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(levels, (0, 109, 255), atol=8)


def test_a_video_that_is_cut_short_is_said_to_be(fresh, clip):
    content = clip.read_bytes()
    fresh.choose({"name": "cut.mp4", "mimeType": "video/mp4", "buffer": content[: len(content) // 2]})
    expect(fresh.page.locator("#problem")).to_contain_text(re.compile("^cut.mp4 .* cut short"))


@pytest.mark.slow
def test_webgpu_shows_the_same(launch, url, clip, checkpoint):
    """The card is an imitation by the processor; what it computes with is what a card is given."""
    browser = launch(*IMITATED_CARD)
    for page in opened(browser, url, 900, 700, query="?runtime=webgpu"):
        assert page.text("#model").endswith("WebGPU")
        page.open_video(clip)
        page.page.locator("#step").select_option("0")
        source = frames_of(page, "#source", FRAMES)
        assert_same_pictures(frames_of(page, "#result", FRAMES), by_torch(checkpoint, source, 16))


def test_tubelet_decodes_what_the_page_saves(fresh, clip, tmp_path):
    fresh.open_video(clip)
    fresh.page.locator("#step").select_option("0.5")
    fresh.set("#channels", 12)
    found = frames_of(fresh, "#result", FRAMES)
    saved, back = tmp_path / "saved.tube", tmp_path / "back.npy"
    assert fresh.save(saved) == "small.tube"
    decode_file(saved, back)
    assert_same_pictures(found, np.load(back))
    with TubeReader(saved) as reader:
        assert (reader.complete, reader.header.parts[0].channels) == (True, 12)
        np.testing.assert_allclose(reader.timestamps() / 90000, np.arange(FRAMES) / 10, atol=1e-4)


@pytest.mark.parametrize("budget", [None, 3])
def test_the_page_shows_what_tubelet_encodes(fresh, clip, tmp_path, budget):
    file, back = tmp_path / "small.tube", tmp_path / "back.npy"
    encode_file(clip, file, tokenizer="tubelet-s", channels=20, budget=budget)
    with TubeReader(file) as reader:
        assert [part.coding for part in reader.head(0).parts] == [MODEL]  # with the prior
    decode_file(file, back)
    fresh.choose(file)
    fresh.shows(WIDTH, HEIGHT)
    expect(fresh.page.locator("#channels")).to_have_attribute("max", "20")
    # All that the file has is shown, whatever was kept of the clip before.
    expect(fresh.page.locator("#kept")).to_have_text("20")
    assert_same_pictures(frames_of(fresh, "#result", FRAMES), np.load(back))
    assert fresh.text("#psnr") == "none"
    assert not fresh.page.locator("#source").is_visible()
    save = fresh.page.locator("#save")
    assert save.is_disabled()
    assert save.get_attribute("title") == "This is a .tube file already"
    fresh.page.locator("#built-in").click()
    fresh.shows(256, 144)
    expect(fresh.page.locator("#kept")).to_have_text("16")


def test_what_cannot_be_saved_says_why(fresh, clip):
    fresh.open_video(clip)
    save = fresh.page.locator("#save")
    expect(save).to_have_attribute("title", "Save what is shown as a file that tubelet decode takes")
    fresh.page.locator("#step").select_option("0")
    expect(save).to_have_attribute("title", "A file holds rounded numbers: choose a quantiser step")
    assert save.is_disabled()


def test_a_file_of_another_tokenizer_says_what_opens_it(fresh):
    fresh.choose(GOLDEN / "version1.tube")
    problem = fresh.page.locator("#problem")
    expect(problem).to_contain_text("version1.tube: the file is one of golden")
    expect(problem).to_contain_text("tubelet serve --tokenizer golden")
    fresh.choose({"name": "cut.tube", "mimeType": "", "buffer": b"no such thing"})
    expect(problem).to_contain_text("cut.tube: this is not a .tube file.")
    fresh.seek(1)


def test_tokens_are_a_map_of_colours(fresh):
    """One colour for one token, wherever and whenever it is."""
    fresh.choose(GOLDEN / "version2.tube")
    with TubeReader(GOLDEN / "version2.tube") as reader:
        part, chunk = reader.header.parts[0], reader.read_chunk(0)
        fresh.shows(reader.header.width, reader.header.height)
        frames = reader.frames
    fresh.has_read(frames)
    _, h, w = part.stride
    colours: dict[tuple, set] = {}
    for frame, step in ((0, 0), (1, 1), (4, 1)):
        fresh.seek(frame)
        picture = fresh.pixels("#result")
        for row, column in np.ndindex(part.rows, part.columns):
            cell = picture[row * h :, column * w :][:h, :w]
            token = tuple(chunk.symbols[:, step, row, column].tolist())
            colours.setdefault(token, set()).update(map(tuple, cell.reshape(-1, 3).tolist()))
    assert all(len(found) == 1 for found in colours.values())
    assert len(set.union(*colours.values())) == len(colours)
    assert fresh.text("#numbers-name") == "tokens"
    assert fresh.text("#numbers").endswith("/s")
    assert fresh.page.locator("#channels").is_disabled()


def test_on_a_phone_nothing_is_wider_than_the_window(phone):
    for mode in ("wipe", "pair", "error"):
        phone.page.locator("#mode").select_option(mode)
        assert phone.page.locator("html").evaluate("(root) => root.scrollWidth <= root.clientWidth")
    for control in phone.page.locator("button:visible:not(.tile, .marks button), select:visible").all():
        assert control.bounding_box()["height"] >= 34


def test_the_camera_is_shown_until_it_is_stopped(fresh):
    camera = fresh.page.locator("#camera")
    camera.click()
    expect(fresh.page.locator("#source-name")).to_have_text("camera")
    expect(fresh.page.locator("#frame-number")).to_have_text(re.compile(r"^\d+ / ([5-9]|\d\d+)$"))
    camera.click()
    expect(camera).to_have_attribute("aria-pressed", "false")
    fresh.seek(1)


def test_threads_are_used_where_there_are_cores(shared):
    assert shared.page.evaluate("crossOriginIsolated")
    cores = shared.page.evaluate("navigator.hardwareConcurrency")
    assert f"{min(cores, 4)} threads" in shared.text("#model") or cores == 1
