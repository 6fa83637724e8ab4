"""One HTML file of an evaluation: figures, plots and clips, without any other file and without the network.

The page draws itself: `page/` holds its scripts and its style, this module what they draw. Everything that
comes from results is data and is never parsed as HTML: it lies in blocks of JSON, and the scripts
write it as text. The page forbids every script but its own, by their SHA-256, and every request.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tubelet import __version__
from tubelet.errors import ResultsError, TubeletError
from tubelet.files import check_target, replacing
from tubelet.report.columns import COLUMNS, PAGE_COLUMNS, Column, best, parts, rate_column
from tubelet.report.motion_layer import QUARTERS, MotionLayer, read_motion
from tubelet.report.pictures import RANGE, Picture, read_pictures
from tubelet.report.players import Player, make_players
from tubelet.report.rate import RateCurve, rate_curves, trade_off
from tubelet.report.read import Results
from tubelet.report.titles import data_name, title_line

SCRIPTS = (
    "elements.js",
    "results.js",
    "head.js",
    "columns.js",
    "summary.js",
    "chart.js",
    "comparison.js",
    "reel.js",
    "view.js",
    "arrows.js",
    "player.js",
    "pictures.js",
    "clips.js",
    "page.js",
)
"""The scripts of a page, in the order in which they are one."""

STYLES = ("page.css", "tables.css", "clips.css", "print.css")

SUFFIXES = (".html", ".htm")
"""What the name of a page ends in."""

_FOLDER = Path(__file__).parent / "page"


class Page(NamedTuple):
    """A page that was written.

    Attributes:
        bytes: its size.
        lossless: how many clips play without loss.
        lossy: how many are shown with loss, and with a still that is exact.
    """

    bytes: int
    lossless: int
    lossy: int


def write_page(
    results: Results,
    target: Path,
    *,
    budget: int,
    title: str | None = None,
    force: bool = False,
    on_clip: Callable[[int], None] = lambda _count: None,
) -> Page:
    """Write the page.

    Args:
        results: of an evaluation.
        target: the file.
        budget: bytes that it may have; clips are left out until it does.
        title: its heading; none for the name of the folder of clips.
        force: whether a file of that name is replaced.
        on_clip: called with 1, twice for each clip that was kept.

    Raises:
        ResultsError: the results are not what docs/reference/results-format.md says.
        OptionError: the title is empty.
        OutputError: the file cannot be written.
    """
    check_target(target, force=force)
    try:
        page = _described(results, title)
        room = budget - len(_assembled(results, page, {}))
        players = make_players(results, budget=room, on_clip=on_clip)
        content = _assembled(results, page, players)
    except TubeletError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise ResultsError(
            f"{results.folder} holds results that this tubelet does not understand ({error!r}). "
            "Run `tubelet evaluate` again."
        ) from error
    with replacing(target, force=force) as path:
        path.write_bytes(content)
    found = [player for player in players.values() if isinstance(player, Player)]
    lossless = sum(player.lossless for player in found)
    return Page(len(content), lossless, len(found) - lossless)


def _described(results: Results, title: str | None) -> dict[str, Any]:
    """What the scripts draw, except clips to play."""
    kept = results.figures.get("videos", {})
    columns = (*COLUMNS, *PAGE_COLUMNS)
    columns = (*columns, *_other_columns(results, columns))
    return {
        "made_by": f"tubelet {__version__}",
        "title": data_name(results) if title is None else title_line(title),
        "protocol": results.protocol,
        "circumstances": results.circumstances,
        "figures": {name: each for name, each in results.figures.items() if name != "videos"},
        "columns": [column._asdict() for column in columns],
        "rates": {system: rate_column(results, system).name for system in results.figures["systems"]},
        "best": _best(results, columns),
        "families": _families(results),
        "trade_off": _trade_off(results),
        "pictures": {name: [_picture(each) for each in read_pictures(results, name)] for name in kept},
        "picture_range": RANGE,
        "motion": {name: [_motion(each) for each in read_motion(results, name)] for name in kept},
        "motion_fineness": QUARTERS,
    }


def _other_columns(results: Results, known: tuple[Column, ...]) -> tuple[Column, ...]:
    """Columns of measures that this version does not know."""
    names = {column.name for column in known}
    return tuple(
        Column(about["group"], name, name.replace("_", " "), None)
        for name, about in results.figures["measures"].items()
        if name not in names
    )


def _best(results: Results, columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    """Of all clips, then of those of each tag: which systems are the best, by group and name of a column."""
    return [
        {
            "tag": None if part is None else part.tag,
            "value": None if part is None else part.value,
            "columns": {
                f"{column.group} {column.name}": sorted(found)
                for column in columns
                if (found := best(results, column, part))
            },
        }
        for part in (None, *parts(results))
    ]


def _trade_off(results: Results) -> str | None:
    """The rate against which quality is drawn at first; none if no two systems differ in one."""
    measured = [column for column in COLUMNS if column.name in results.figures["measures"]]
    found = (trade_off(results, column.name) for column in measured)
    return next((rate for rate in found if rate), None)


def _families(results: Results) -> dict[str, int]:
    """Which systems are one thing at several rates, by the number of their curve."""
    measures = results.figures["measures"]
    usable = [name for name, about in measures.items() if about["better"] in {"more", "less"}]
    curves: list[RateCurve] = []
    if usable:
        curves += rate_curves(results, usable[0], rate="bits_per_pixel")
        curves += rate_curves(results, usable[0], rate="numbers_per_pixel")
    return {
        system: number
        for number, curve in enumerate(curves)
        for system in (*(point.system for point in curve.points), *curve.left_out)
    }


def _assembled(results: Results, page: dict[str, Any], players: dict[str, Player | str]) -> bytes:
    """The whole file."""
    script = "".join((_FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    style = "".join((_FOLDER / name).read_text(encoding="utf-8") for name in STYLES)
    films: list[bytes] = []
    shown = {name: _player(player, films) for name, player in players.items()}
    filled = {
        "title": html.escape(f"{page['title']}: a report of tubelet"),
        "script": script,
        "script-hash": _hash(script),
        "style": style,
        "style-hash": _hash(style),
        "data": _json(page | {"players": shown}),
        "films": "\n".join(
            f'<script type="text/plain" id="film-{number}">{base64.b64encode(film).decode()}</script>'
            for number, film in enumerate(films)
        ),
    }
    template = (_FOLDER / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{([a-z-]+)\}\}", lambda found: filled[found[1]], template).encode()


def _player(player: Player | str, films: list[bytes]) -> dict[str, Any]:
    """What the scripts know of a clip to play; its film and its still are added to the films."""
    if isinstance(player, str):
        return {"why": player}
    places: dict[str, int | None] = {"film": None, "still": None}
    for kind in places:
        part = getattr(player, kind)
        if part is not None:
            places[kind] = len(films)
            films.append(part)
    return places | {
        "systems": player.systems,
        "height": player.stack.height,
        "width": player.stack.width,
        "across": player.stack.across,
        "rate": float(player.rate),
        "checks": player.checks,
        "worst": player.worst,
        "lossless": player.lossless,
        "notes": player.notes,
    }


def _picture(picture: Picture | str) -> dict[str, Any]:
    if isinstance(picture, str):
        return {"why": picture}
    return {
        "system": picture.system,
        "kind": picture.kind,
        "shape": picture.shape,
        "values": base64.b64encode(picture.values).decode(),
        "frames": picture.frames,
        "shown": picture.shown,
        "frame": None if picture.frame is None else base64.b64encode(picture.frame).decode(),
    }


def _motion(layer: MotionLayer | str) -> dict[str, Any]:
    if isinstance(layer, str):
        return {"why": layer}
    return {
        "system": layer.system,
        "shape": layer.shape,
        "every": layer.every,
        "values": base64.b64encode(layer.values).decode(),
        "frames": layer.frames,
    }


def _json(content: dict[str, Any]) -> str:
    """JSON that no text in it can end: blocks of a page end at the next ``</script``, wherever that is."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _hash(text: str) -> str:
    """How a policy names a script or a style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
