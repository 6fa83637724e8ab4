"""How the page of `tubelet report` lies in a window: what is in sight, what is cut, what can be read."""

import json
import shutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tubelet.errors import OptionError
from tubelet.evaluate.measures import describe
from tubelet.evaluate.protocols import find_protocol
from tubelet.evaluate.results_file import FORMAT
from tubelet.evaluate.summary import summarise
from tubelet.report.columns import best, find_column
from tubelet.report.html import write_page
from tubelet.report.read import Results, read_results
from tubelet.video.write import Writer

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to show the page")

LONG = "models/of_somebody_else/a_tokenizer_with_a_long_name"
MIXED = {f"{LONG}@16": 0.074, "klt-4x8x8@16": 0.074, f"{LONG}@16:step=0.5": 0.26, "x264:crf=28": 0.0669}
ALIKE = {"m@16": 0.074, "n@16": 0.074}
CLIPS = ("a-clip-whose-name-is_longer_than_any_phone_is_wide_and_has_no_spaces.mkv", "b.mkv")
MEASURES = ("psnr_db", "ssim", "ms_ssim", "flicker_levels", "warping_error", "difference_psnr_db", "tof_px")


def made_results(folder: Path, systems: dict[str, float]) -> Path:
    """Results of an evaluation that never was, each system a little better than the one before."""
    folder.mkdir(exist_ok=True)
    found: dict[str, Any] = {}
    for place, (name, rate) in enumerate(systems.items()):
        kind = "codec" if "crf" in name else "tube" if "step" in name else "latent"
        unit = "numbers" if kind == "latent" else "bits"
        clips = {
            clip: {
                "figures": dict.fromkeys(MEASURES, 20.0 + place + 10 * number),
                "curves": {"frame_psnr_db": [20.0 + place, 21.0]},
                "absent": {},
                "rate": {f"{unit}_per_pixel": rate},
                "squared_error": [1000, 100],
                "pixels": 100,
                "seconds_encode": 0.001,
                "seconds_decode": 0.002,
            }
            for number, clip in enumerate(CLIPS)
        }
        facts = {"kind": kind, "name": name, "stride": [4, 8, 8], "channels": 16, "options": {"crf": "28"}}
        found[name] = {"facts": facts, "clips": clips, "summary": summarise(clips, {}, seed=0)}
    facts = {"tags": {}, "frames": 2, "height": 80, "width": 500, "rate": "10/1"}
    figures = {
        "format": FORMAT,
        "data": "clips",
        "intervals": {"way": "bootstrap", "level": 0.95, "resamples": 1000, "seed": 0},
        "measures": describe(list(MEASURES)),
        "clips": dict.fromkeys(CLIPS, facts),
        "systems": found,
        "run": {"workers": 2, "threads": 1},
    }
    command = f"tubelet evaluate clips --with {' '.join(systems)}"
    content = {
        "protocol": find_protocol("short256x33").line,
        "circumstances": {"command": command, "commit": "abc", "date": "2026-01-02T03:04:05+00:00"},
        "figures": figures,
    }
    (folder / "results.json").write_text(json.dumps(content))
    return folder


def keep_pictures(folder: Path) -> None:
    """Beside them a clip of 500x80 to play, a latent of it, and its motion."""
    path = folder / "results.json"
    content = json.loads(path.read_text())
    frames = np.random.default_rng(0).integers(0, 256, (2, 80, 500, 3)).astype(np.uint8)
    for name in ("source.mkv", "back.mkv"):
        with Writer(folder / name, width=500, height=80, time_base=Fraction(1, 10)) as writer:
            writer.write(frames, np.arange(2))
    np.save(folder / "latent.npy", np.zeros((16, 10, 63), np.float16))
    np.save(folder / "counts.npy", np.arange(630).reshape(1, 10, 63) % 65)
    moved = np.zeros((1, 2, 10, 63), np.float16)
    moved[0, 0, 4:6] = 12.5
    np.save(folder / "motion.npy", moved)
    system, other = list(content["figures"]["systems"])[:2]
    content["figures"]["videos"] = {
        CLIPS[0]: {
            "source": "source.mkv",
            "systems": {system: "back.mkv"},
            "latents": {system: {"path": "latent.npy", "frames": [0, 2]}},
            "counts": {other: {"path": "counts.npy", "frames": [0, 2]}},
            "motion": {system: {"path": "motion.npy", "frames": [0, 2]}},
        }
    }
    path.write_text(json.dumps(content))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Results:
    """Latents and files, long names and short ones."""
    folder = made_results(tmp_path_factory.mktemp("mixed") / "results", MIXED)
    keep_pictures(folder)
    return read_results(folder)


@pytest.fixture(scope="module")
def written(mixed) -> Path:
    target = mixed.folder / "report.html"
    write_page(mixed, target, budget=10_000_000)
    return target


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(browser, written) -> Iterator[Callable[..., Any]]:
    """Open a page in a window of a width."""
    pages = []

    def make(width: int, target: Path = written, **options) -> Any:
        page = browser.new_page(viewport={"width": width, "height": 800}, **options)
        pages.append(page)
        page.goto(target.as_uri())
        sync_api.expect(page.locator("#circumstances")).to_be_attached()
        page.wait_for_timeout(200)
        return page

    yield make
    for page in pages:
        page.close()


def heads_in_sight(page: Any) -> list[str]:
    """Heads of columns that lie in the window, none of them behind a scroll."""
    scroller = page.locator("#summary .scroll")
    room = scroller.bounding_box()
    found = []
    for head in scroller.locator("thead tr:last-child th:visible").all():
        box = head.bounding_box()
        if box["x"] >= room["x"] - 1 and box["x"] + box["width"] <= room["x"] + room["width"] + 1:
            found.append(" ".join(head.inner_text().split()))
    return found


def does_not_scroll(page: Any) -> bool:
    root = page.locator("html")
    return root.evaluate("(root) => root.scrollWidth <= root.clientWidth")


def test_rate_and_speed_are_in_sight_beside_quality(show):
    page = show(1190)
    heads = heads_in_sight(page)
    assert heads[:3] == ["system", "rate", "PSNR dB ↑"]
    assert heads[-2:] == ["encode Mpx/s", "decode Mpx/s"]
    assert page.locator("#summary .scroll").evaluate("(each) => each.scrollWidth <= each.clientWidth")


@pytest.mark.parametrize("width", [400, 360])
def test_on_a_phone_quality_rate_and_speed_are_in_sight(show, width):
    page = show(width)
    assert heads_in_sight(page) == ["system", "rate", "PSNR dB ↑", "decode Mpx/s"]
    assert page.locator("#summary .scroll").evaluate("(each) => each.scrollWidth <= each.clientWidth")


def test_a_window_that_changes_shows_what_fits_now(show):
    page = show(400)
    page.set_viewport_size({"width": 1190, "height": 800})
    sync_api.expect(page.locator("#summary th button", has_text="encode Mpx/s")).to_be_visible()
    page.set_viewport_size({"width": 400, "height": 800})
    sync_api.expect(page.locator("#summary th button", has_text="encode Mpx/s")).not_to_be_visible()


def test_folded_columns_open_on_demand_and_the_first_one_stays(show):
    page = show(400)
    page.locator("#summary").get_by_role("button", name="of 12 columns").click()
    page.locator("#summary").get_by_role("checkbox", name="tOF px").check()
    sync_api.expect(page.locator("#summary th button", has_text="tOF px")).to_be_visible()
    page.locator("#summary").get_by_role("button", name="all", exact=True).click()
    scroller = page.locator("#summary .scroll")
    assert scroller.evaluate("(each) => each.scrollWidth > each.clientWidth")
    name = scroller.get_by_role("rowheader").nth(1)
    before = name.bounding_box()
    scroller.evaluate("(each) => (each.scrollLeft = 300)")
    assert name.bounding_box() == before
    assert scroller.get_attribute("tabindex") == "0"
    page.locator("#summary").get_by_role("button", name="those that fit").click()
    assert len(heads_in_sight(page)) == 4


@pytest.mark.parametrize("width", [1400, 1190, 700, 400, 320])
def test_no_page_scrolls_sideways(show, width):
    page = show(width)
    for summary in page.locator("details > summary").all():
        if summary.is_visible() and summary.locator("xpath=..").get_attribute("open") is None:
            summary.click()
    page.wait_for_timeout(200)
    assert does_not_scroll(page)


@pytest.mark.parametrize("width", [1190, 400])
def test_names_are_in_one_line_and_long_ones_are_told_by_focus(show, width):
    page = show(width)
    words = page.locator("span.word:visible")
    assert words.count() > 8
    assert max(words.evaluate_all("(all) => all.map((each) => each.getClientRects().length)")) == 1
    assert max(words.evaluate_all("(all) => all.map((each) => each.clientHeight)")) < 30
    rows = page.locator("#summary tbody th[scope=row]")
    assert set(rows.all_inner_texts()) == set(MIXED)
    cut = rows.filter(has_text=LONG).first.locator(".word")
    cut.focus()
    sync_api.expect(page.get_by_role("tooltip")).to_have_text(f"{LONG}@16")
    short = rows.filter(has_text="x264").locator(".word")
    if width == 1190:
        assert short.get_attribute("tabindex") is None


def test_the_end_of_a_cut_name_can_be_read(show):
    page = show(1190)
    word = page.locator("#summary .word", has_text="step=0.5").first
    end = word.evaluate(
        """(word) => {
            const range = document.createRange();
            range.selectNodeContents(word.lastChild);
            return [range.getBoundingClientRect().right, word.getBoundingClientRect().right];
        }"""
    )
    assert end[0] <= end[1] + 1


CONTRASTS = """() => {
  const parse = (text) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const light = (colour) => colour.slice(0, 3).map((each) => each / 255)
    .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
    .reduce((sum, each, i) => sum + each * [0.2126, 0.7152, 0.0722][i], 0);
  const over = (top, below) =>
    top.slice(0, 3).map((each, i) => each * top[3] + below[i] * (1 - top[3])).concat(1);
  const behind = (element) => {
    if (!element) return [255, 255, 255, 1];
    const colour = parse(getComputedStyle(element).backgroundColor);
    return colour[3] === 1 ? colour : over(colour, behind(element.parentElement));
  };
  const found = [];
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    const hidden = !element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    if (!text || hidden || element.closest(":disabled, .unseen, option, label:has(:disabled)")) continue;
    const style = getComputedStyle(element);
    const ink = parse(element.closest("svg") ? style.fill : style.color);
    const paper = behind(element);
    const [one, other] = [light(over(ink, paper)), light(paper)].sort((a, b) => b - a);
    found.push([(one + 0.05) / (other + 0.05), text]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(show, scheme):
    page = show(1190, color_scheme=scheme)
    page.locator("#summary").get_by_role("button", name="of 12 columns").click()
    found = page.evaluate(CONTRASTS)
    assert len(found) > 100
    assert [each for each in found if each[0] < 4.5] == []


def test_the_page_marks_what_tables_mark(show, mixed):
    page = show(1190)
    for name, head in (("psnr_db", "PSNR dB"), ("flicker_levels", "flicker levels")):
        place = heads_in_sight(page).index(next(each for each in heads_in_sight(page) if head in each))
        rows = page.locator("#summary tbody tr:has(td)").all()
        marked = {
            row.locator("th").inner_text()
            for row in rows
            if "best" in (row.locator("td:visible").nth(place - 1).get_attribute("class") or "")
        }
        assert marked == best(mixed, find_column(name))
        assert marked <= {f"{LONG}@16", "klt-4x8x8@16"}
        assert len(marked) == 1


def test_times_of_an_evaluation_are_drawn_nowhere(show):
    page = show(1190)
    drawn = page.locator("#comparison select option").all_inner_texts()
    assert drawn
    assert not [each for each in drawn if "megapixel" in each or "Mpx" in each]
    assert "Mpx" not in page.locator("#comparison").inner_text()
    assert "no measurement of speed" in page.locator("#summary").inner_text()


def test_two_systems_of_one_rate_stand_side_by_side(show, tmp_path):
    results = read_results(made_results(tmp_path / "results", ALIKE))
    write_page(results, tmp_path / "page.html", budget=1_000_000)
    comparison = show(1190, tmp_path / "page.html").locator("#comparison")
    assert comparison.locator(".plot").count() == 0
    assert comparison.locator(".panel").count() == 4
    assert comparison.locator(".panel .track").count() == 8
    sync_api.expect(comparison).to_contain_text("0.0740 numbers/px")
    sync_api.expect(comparison).to_contain_text("n@16 is better than m@16 on 2 of 2 clips.")


def test_two_rates_are_drawn_against_quality_first(show):
    comparison = show(1190).locator("#comparison")
    assert comparison.locator(".plot .point").count() == 2
    assert comparison.locator("figure").nth(0).locator(".plot").count() == 1
    sync_api.expect(comparison.locator("figure").nth(0)).to_contain_text("bits on disk per pixel")


def test_a_title_stands_at_the_head_as_text(show, mixed, tmp_path):
    title = "Ours & <b>theirs</b> \udce9"
    write_page(mixed, tmp_path / "page.html", budget=1_000_000, title=title)
    page = show(1190, tmp_path / "page.html")
    assert page.locator("h1").inner_text() == r"Ours & <b>theirs</b> \xe9"
    assert page.title() == r"Ours & <b>theirs</b> \xe9: a report of tubelet"
    sync_api.expect(page.locator(".heading")).to_contain_text("2 clips of clips, 4 systems")
    with pytest.raises(OptionError, match="title is empty"):
        write_page(mixed, tmp_path / "none.html", budget=1_000_000, title=" ")


def test_the_command_takes_a_title_for_every_kind_of_output(cli, mixed, tmp_path):
    for name in ("t.html", "t.md", "t.tex"):
        assert cli("report", mixed.folder, "-o", tmp_path / name, "--title", "One title").code == 0
        assert "One title" in (tmp_path / name).read_text(encoding="utf-8")
    ended = cli("report", mixed.folder, "-o", tmp_path / "none.md", "--title", "  ")
    assert ended.code == 2
    assert "title is empty" in ended.err
    assert not (tmp_path / "none.md").exists()


def test_a_picture_has_its_own_size_where_there_is_room_and_fits_where_there_is_none(show):
    for width, shown, zoom in ((1190, 500, "1"), (400, 330, "fit")):
        page = show(width)
        stage = page.locator(".stage")
        sync_api.expect(stage).to_have_attribute("data-zoom", zoom)
        assert page.get_by_role("combobox", name="zoom").input_value() == zoom
        canvas = stage.locator("canvas").first.bounding_box()
        assert canvas["width"] == pytest.approx(shown, abs=5)
        # Names hide no part of a picture.
        names = stage.locator(".pane-names").first.bounding_box()
        assert names["y"] + names["height"] <= canvas["y"] + 1


def test_latents_are_explained(show):
    latents = show(1190).locator(".latents")
    for part in (
        "one channel",
        "White is 0",
        "red is above",
        "standard deviation",
        "8\N{MULTIPLICATION SIGN}8 pixels",
    ):
        sync_api.expect(latents).to_contain_text(part)
    latents.locator(".tile canvas").nth(2).hover()
    sync_api.expect(latents.locator(".tile figcaption").nth(3)).to_contain_text(": 0")


def test_counts_are_shown_over_the_frame_and_alone(show):
    picture = show(1190).locator(".picture", has_text="counts of frames")
    sync_api.expect(picture).to_contain_text("channels in the mean")
    over, alone = picture.locator("canvas:not([aria-hidden])").all()
    frame = picture.locator(".overlaid img").bounding_box()
    assert over.bounding_box() == frame
    assert alone.bounding_box()["width"] == frame["width"]
    colours = alone.evaluate(
        "c => [0, 62].map((x) => Array.from(c.getContext('2d').getImageData(x, 0, 1, 1).data))"
    )
    assert colours[0] == [0, 32, 76, 255]
    assert sum(colours[1]) > sum(colours[0])
    alone.hover()
    sync_api.expect(picture.locator("figcaption").last).to_contain_text("channel")


def test_arrows_lie_over_the_picture_where_something_moves_and_go_by_key(show):
    page = show(1190)
    player, arrows, said = (page.locator(place) for place in (".player", ".arrows", ".moved"))
    choice = page.get_by_role("combobox", name="motion")
    sync_api.expect(arrows.first).to_be_hidden()
    choice.select_option(index=1)
    sync_api.expect(arrows.first).to_be_visible()
    box, picture = arrows.first.bounding_box(), page.locator(".plane canvas").first.bounding_box()
    assert box == pytest.approx(picture, abs=0.5)
    # Every second position has an arrow, a line and a head: one row of the two that move.
    assert arrows.first.locator(".line").get_attribute("d").count("M") == 2 * 31
    sync_api.expect(said).to_have_text("motion from frame 0 to 1: 2.5 pixels on average, 12.5 at most")
    player.focus()
    page.keyboard.press("m")
    sync_api.expect(arrows.first).to_be_hidden()
    sync_api.expect(said).to_be_hidden()
    page.keyboard.press("m")
    sync_api.expect(arrows.first).to_be_visible()
    page.keyboard.press("s")
    sync_api.expect(arrows.nth(1)).to_be_visible()
    sync_api.expect(page.locator(".keys")).to_contain_text("arrows of motion")


def test_the_page_names_only_what_a_user_has(written):
    text = written.read_text(encoding="utf-8")
    for place in ("experiments/", "scripts/", "docs/", "src/"):
        assert place not in text


def test_on_paper_it_is_light_without_controls_and_nothing_is_cut(show):
    page = show(1190, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 700, "height": 1000})
    page.wait_for_timeout(200)
    for control in (".bar", ".chooser", ".time", "#summary select", ".handle"):
        assert page.locator(control).locator("visible=true").count() == 0
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    assert does_not_scroll(page)
    assert page.locator("#summary .scroll").evaluate("(each) => each.scrollWidth <= each.clientWidth")
