"""The page of `tubelet report` in a browser: what is shown is what was measured, to the pixel."""

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tubelet.evaluate.evaluation import Evaluation
from tubelet.evaluate.protocols import find_protocol
from tubelet.evaluate.run import evaluate
from tubelet.report.html import write_page
from tubelet.report.read import read_results
from tubelet.video.read import read
from tubelet.video.write import Writer

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to show the page")

SYSTEMS = ("klt-4x8x8@16", "klt-4x8x8@4")
PLAIN, NASTY = "plain.mkv", "<img src=x onerror=document.title='broken'>.mkv"
FRAMES = 9
LARGE = 100_000_000

PIXELS = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return btoa(String.fromCharCode(...data));
}"""
SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => list.getEntries()
    .forEach((each) => each.hadRecentInput || shifts.push(each.value)))
    .observe({ type: "layout-shift", buffered: true });
"""


def moving_noise(height: int, width: int, seed: int) -> np.ndarray:
    """Frames that differ everywhere, so that each is known by its pixels."""
    random = np.random.default_rng(seed)
    field = random.integers(0, 256, (height + FRAMES, width + FRAMES, 3))
    smooth = sum(np.roll(field, shift, (0, 1)) for shift in range(4)) // 4
    return np.stack([smooth[t : t + height, t : t + width] for t in range(FRAMES)]).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The results of a real evaluation of two tiny clips: one of odd size, one named like HTML."""
    place = tmp_path_factory.mktemp("report")
    (place / "clips").mkdir()
    for seed, (name, height, width) in enumerate([(PLAIN, 51, 65), (NASTY, 48, 64)]):
        path = place / "clips" / name
        with Writer(path, width=width, height=height, time_base=Fraction(1, 10)) as writer:
            writer.write(moving_noise(height, width, seed), np.arange(FRAMES))
    request = Evaluation(
        data=place / "clips",
        systems=SYSTEMS,
        protocol=find_protocol("short256x33"),
        folder=place / "results",
        keep=2,
        workers=1,
    )
    return evaluate(request).parent


@pytest.fixture(scope="module")
def kept(folder) -> dict[str, list[np.ndarray]]:
    """By name of the clip, the frames of the source and of each system."""

    def frames(path: Path) -> np.ndarray:
        return np.concatenate([run.frames.copy() for run in read(path)])

    videos = json.loads((folder / "results.json").read_text())["figures"]["videos"]
    return {
        name: [frames(folder / path) for path in (each["source"], *each["systems"].values())]
        for name, each in videos.items()
    }


@pytest.fixture(scope="module")
def written(folder, tmp_path_factory) -> Path:
    """The page of these results, with everything without loss."""
    target = tmp_path_factory.mktemp("page") / "report.html"
    assert write_page(read_results(folder), target, budget=LARGE).lossless == 2
    return target


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Shown:
    """A page in the browser, and the player of a clip on it."""

    page: Any
    name: str

    @property
    def clip(self) -> Any:
        return self.page.locator("details.clip", has=self.page.get_by_text(self.name, exact=True))

    @property
    def player(self) -> Any:
        return self.clip.locator(".player")

    def choose(self, label: str, value: object) -> None:
        self.player.get_by_role("combobox", name=label, exact=True).select_option(str(value))

    def press(self, key: str) -> None:
        self.player.focus()
        self.page.keyboard.press(key)

    def settle(self, frame: int | None = None, kind: str = "exact") -> None:
        """Wait until a frame is at rest and was looked at."""
        if frame is not None:
            sync_api.expect(self.player.locator(".frame-number")).to_have_text(f"{frame} / {FRAMES - 1}")
        sync_api.expect(self.player.locator(".truth")).to_have_attribute("data-kind", kind)

    def frame(self) -> int:
        return int(self.player.locator(".frame-number").inner_text().split("/")[0])

    def pixels(self, pane: int = 0) -> np.ndarray:
        canvas = self.player.locator(".plane canvas").nth(pane)
        height, width = (int(canvas.get_attribute(side)) for side in ("height", "width"))
        values = np.frombuffer(base64.b64decode(canvas.evaluate(PIXELS)), np.uint8)
        return values.reshape(height, width, 4)[..., :3]


@pytest.fixture
def show(browser, written) -> Iterator[Callable[..., Shown]]:
    """Open a page; that it met no error, asked for nothing and never jumped is checked at the end."""
    troubles: list[str] = []
    pages = []

    def make(target: Path = written, *, name: str = PLAIN, width: int = 1280, **options) -> Shown:
        page = browser.new_page(viewport={"width": width, "height": 800}, **options)
        pages.append(page)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        inside = (target.as_uri(), "data:", "blob:")
        page.on("request", lambda asked: asked.url.startswith(inside) or troubles.append(asked.url))
        page.add_init_script(SHIFTS)
        page.goto(target.as_uri())
        shown = Shown(page, name)
        if shown.clip.count() and shown.clip.get_attribute("open") is None:
            shown.clip.locator("summary").click()
        return shown

    yield make
    for page in pages:
        # Of what nobody asked for by a click or a key; those are followed by half a second of grace.
        # Web Vitals calls 0.1 good; a busy machine opens a clip later than the grace lasts.
        assert sum(page.evaluate("shifts")) < 0.1
        page.close()
    assert not troubles


@pytest.mark.parametrize("name", [PLAIN, NASTY])
def test_every_frame_of_every_pane_is_the_one_that_was_measured(show, kept, name):
    shown = show(name=name)
    shown.settle()
    shown.choose("view", "pair")
    for _ in range(FRAMES):
        shown.press("ArrowLeft")
    source, *systems = kept[name]
    for frame in range(FRAMES):
        for system, frames in enumerate(systems):
            shown.press(str(system + 1))
            shown.settle(frame)
            assert np.array_equal(shown.pixels(0), source[frame])
            assert np.array_equal(shown.pixels(1), frames[frame])
        shown.press("ArrowRight")


def test_while_it_plays_and_when_it_stops_all_panes_show_one_frame(show, kept):
    shown = show()
    shown.settle()
    shown.choose("view", "pair")
    source, system, _ = kept[PLAIN]
    shown.press("Shift+ArrowLeft")
    shown.settle(0)
    shown.press("Space")
    seen = set()
    for _ in range(12):
        # Both are read at once: between two calls the film goes on.
        both = shown.player.locator(".plane canvas").evaluate_all(f"(all) => all.map({PIXELS})")
        left, right = (np.frombuffer(base64.b64decode(each), np.uint8).reshape(51, 65, 4) for each in both)
        numbers = [frame for frame in range(FRAMES) if np.array_equal(source[frame], left[..., :3])]
        assert len(numbers) == 1
        assert np.array_equal(system[numbers[0]], right[..., :3])
        seen.update(numbers)
        shown.page.wait_for_timeout(60)
    shown.press("Space")
    shown.settle()
    assert len(seen) > 2
    assert np.array_equal(shown.pixels(0), source[shown.frame()])
    assert np.array_equal(shown.pixels(1), system[shown.frame()])


def test_the_wipe_moves_by_mouse_and_by_keys_and_divides_two_panes(show, kept):
    shown = show()
    shown.settle()
    handle = shown.player.get_by_role("slider", name="Wipe")
    source, system, _ = kept[PLAIN]

    def border() -> int:
        share = float(handle.evaluate("(element) => element.style.left").removesuffix("%"))
        column, pixels, frame = round(share / 100 * 65), shown.pixels(), shown.frame()
        assert np.array_equal(pixels[:, :column], source[frame][:, :column])
        assert np.array_equal(pixels[:, column:], system[frame][:, column:])
        return column

    middle = border()
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    start = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    shown.page.mouse.move(*start)
    shown.page.mouse.down()
    shown.page.mouse.move(start[0] + 200, start[1], steps=3)
    shown.page.mouse.up()
    dragged = border()
    assert dragged > middle
    shown.press("[")
    assert border() < dragged
    shown.press("]")
    assert border() == dragged
    handle.focus()
    shown.page.keyboard.press("Home")
    assert border() == 0


def test_errors_are_black_where_nothing_differs_and_nowhere_else(show, kept):
    shown = show()
    shown.settle()
    shown.press("h")
    source, system, _ = kept[PLAIN]
    frame = shown.frame()
    differs = (source[frame] != system[frame]).any(-1)
    assert np.array_equal(shown.pixels().any(-1), differs)
    shown.choose("gain", 32)
    assert np.array_equal(shown.pixels().any(-1), differs)
    shown.choose("left", 1)
    assert not shown.pixels().any()


def test_a_click_on_a_curve_shows_its_frame(show):
    shown = show()
    shown.settle()
    chart = shown.clip.get_by_role("img", name="frame PSNR dB of each frame")
    box = chart.bounding_box()
    chart.click(position={"x": 46 + (box["width"] - 60) * 3 / (FRAMES - 1), "y": 60})
    shown.settle(3)
    shown.page.keyboard.press("ArrowRight")
    shown.settle(4)
    curves = json.loads(shown.page.locator("#data").text_content())["figures"]["systems"][SYSTEMS[0]][
        "clips"
    ][PLAIN]
    readout = shown.clip.locator(".legend output").first
    assert readout.inner_text() == f"{curves['curves']['frame_psnr_db'][4]:.2f}"


def test_the_player_is_reached_by_tab_and_its_keys_are_told(show):
    shown = show()
    shown.settle()
    shown.clip.locator("summary").focus()
    shown.page.keyboard.press("Tab")
    assert shown.player.evaluate("(element) => element === document.activeElement")
    assert shown.player.evaluate("(element) => getComputedStyle(element).outlineStyle") != "none"
    shown.page.keyboard.press("?")
    sync_api.expect(shown.page.get_by_role("dialog")).to_be_visible()
    shown.page.keyboard.press("Escape")
    sync_api.expect(shown.page.get_by_role("dialog")).not_to_be_visible()


def test_light_follows_the_system_until_it_is_switched(show):
    page = show(color_scheme="dark").page
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(paper)
    page.get_by_label("Light or dark").click()
    assert page.evaluate(paper) != dark
    page.get_by_label("Light or dark").click()
    assert page.evaluate(paper) == dark


def test_names_are_text_and_clips_are_in_the_order_that_is_asked_for(show):
    shown = show(name=NASTY)
    names = shown.page.locator(".clip-name")
    worst_first = names.all_inner_texts()
    assert sorted(worst_first) == sorted([PLAIN, NASTY])
    assert shown.page.locator("img[src=x]").count() == 0
    assert shown.page.title() == "clips: a report of tubelet"
    shown.page.get_by_role("combobox", name="order", exact=True).select_option(label="by name")
    assert names.all_inner_texts() == [NASTY, PLAIN]


def test_a_table_is_sorted_by_its_heads(show):
    page = show().page
    table = page.locator("#summary table")
    table.get_by_role("button", name="PSNR dB ↑", exact=True).first.click()
    assert table.locator("tbody th").all_inner_texts() == list(SYSTEMS)
    table.get_by_role("button", name="PSNR dB ↑", exact=True).first.click()
    assert table.locator("tbody th").all_inner_texts() == list(reversed(SYSTEMS))


def test_a_budget_that_holds_less_keeps_one_exact_frame_and_says_what_is_lossy(
    show, folder, written, tmp_path, kept
):
    target = tmp_path / "small.html"
    page = write_page(read_results(folder), target, budget=written.stat().st_size - 30_000)
    assert page.lossy > 0
    assert page.bytes <= written.stat().st_size - 30_000
    found = json.loads(show(target).page.locator("#data").text_content())["players"]
    name = next(name for name, player in found.items() if not player["lossless"])
    shown = show(target, name=name)
    worst = found[name]["worst"]
    shown.settle(worst)
    shown.choose("view", "pair")
    assert np.array_equal(shown.pixels(1), kept[name][1][worst])
    shown.press("ArrowLeft" if worst else "ArrowRight")
    shown.settle(kind="lossy")
    shown.player.get_by_role("button", name="worst frame").click()
    shown.settle(worst)


def test_a_page_as_narrow_as_a_phone_does_not_scroll_sideways(show):
    shown = show(width=360)
    shown.settle()
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_what_is_missing_infinite_unknown_or_failed_is_said_in_place(show, folder, tmp_path):
    content = json.loads((folder / "results.json").read_text())
    figures = content["figures"]
    first = figures["systems"][SYSTEMS[0]]
    for name in list(figures["clips"]):
        for number in range(100):
            figures["clips"][f"{number} {name}"] = figures["clips"][name]
            for system in figures["systems"].values():
                system["clips"][f"{number} {name}"] = system["clips"][name]
    first["clips"]["7 plain.mkv"] = {
        "error": "VideoError: </script><script>document.title = 'broken'</script>"
    }
    figures["measures"]["sharpness"] = {"group": "detail", "better": "more", "says": "what nobody knows yet."}
    first["summary"]["all"]["detail"]["sharpness"] = {
        "mean": None,
        "low": None,
        "high": None,
        "clips": 1,
        "exact": 1,
    }
    place = tmp_path / "results"
    place.mkdir()
    (place / "results.json").write_text(json.dumps(content))
    write_page(read_results(place), tmp_path / "report.html", budget=LARGE)
    page = show(tmp_path / "report.html").page
    assert page.locator("details.clip").count() == 202
    sync_api.expect(page.locator(".failed")).to_contain_text("</script><script>document.title")
    sync_api.expect(page.get_by_text("No player: videos/").first).to_be_visible()
    sync_api.expect(page.locator("#summary td", has_text="∞")).to_have_count(1)
    page.locator("#summary .opener").click()
    page.locator("#summary").get_by_role("button", name="all", exact=True).click()
    button = page.get_by_role("button", name="sharpness").first
    button.scroll_into_view_if_needed()
    page.wait_for_timeout(300)  # scrolling hides what is explained
    button.hover()
    sync_api.expect(page.get_by_role("tooltip")).to_contain_text("what nobody knows yet.")
    assert page.title() == "clips: a report of tubelet"
