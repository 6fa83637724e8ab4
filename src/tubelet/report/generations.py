"""One HTML file of an evaluation of generators: figures, and clips with what they should show.

It holds no script and asks for no other file. Everything that comes from the results is text, escaped.
"""

import base64
import binascii
import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tubelet.errors import ResultsError
from tubelet.files import replacing
from tubelet.json_text import of_kind, read_json

PROTOCOLS = ("generation-2",)
"""Protocols of results that are read, by their first word."""

_JPEG = b"\xff\xd8\xff"
"""What a strip begins with."""

_MOST_BYTES = 1 << 28

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #ccc; }
th:first-child, td:first-child { text-align: left; }
.clips { display: grid; grid-template-columns: repeat(auto-fill, minmax(20.5rem, 1fr)); gap: 1rem; }
figure { margin: 0; border-top: 4px solid #b00020; padding-top: .4rem; }
figure.right { border-color: #18794e; }
img { width: 100%; image-rendering: pixelated; }
.wrong { color: #b00020; font-weight: 600; }
small { color: #555; }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generations:
    """Results of `tubelet evaluate-generation`.

    Attributes:
        protocol: what was measured, and how.
        models: by name; each has figures by kind of prompts.
        circumstances: where and when.
    """

    protocol: str
    models: dict[str, dict[str, Any]]
    circumstances: dict[str, Any]


def is_generations(path: Path) -> bool:
    """Whether a file says that it is one of results of generators; a folder is none."""
    try:
        return path.is_file() and str(read_json(path, most=_MOST_BYTES)["protocol"]).startswith("generation-")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_generations(path: Path) -> Generations:
    """Read results of generators.

    Raises:
        ResultsError: it is not a file of such results, or a damaged one.
    """
    try:
        content = of_kind(read_json(path, most=_MOST_BYTES), dict, "content")
        protocol = of_kind(content["protocol"], str, "protocol")
        models = of_kind(content["figures"]["models"], dict, "models")
        _check(protocol, models)
        circumstances = of_kind(content["circumstances"], dict, "circumstances")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(
            f"{path} holds no results of generators ({error!s:.200}). Give what `tubelet "
            "evaluate-generation` wrote."
        ) from error
    return Generations(protocol=protocol, models=models, circumstances=circumstances)


def write_gallery(results: Generations, target: Path, *, title: str | None = None, force: bool) -> int:
    """Write the page.

    Args:
        results: of generators.
        target: the file.
        title: what stands above it all.
        force: replace a file that is there.

    Returns:
        How many clips are shown.

    Raises:
        OutputError: the file exists or cannot be written.
    """
    parts = [part for name, model in results.models.items() for part in _model(name, model)]
    heading = _text(title or ", ".join(results.models))
    where = results.circumstances
    page = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{heading}</title>
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>
<h1>{heading}</h1>
{"".join(parts)}
<p><small>{_text(results.protocol)}<br>
{_text(where.get("command", ""))}, {_text(where.get("date", ""))}</small></p>
</body></html>
"""
    with replacing(target, force=force) as beside:
        beside.write_text(page, encoding="utf-8")
    return page.count("<figure")


def _kinds(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures of a generator, by kind of prompts."""
    return {name: each for name, each in model.items() if isinstance(each, dict) and "clips" in each}


def _check(protocol: str, models: dict[str, Any]) -> None:
    """Raise unless results are of a protocol that is read, and hold what the page needs."""
    if protocol.partition(":")[0] not in PROTOCOLS:
        raise ValueError(f"its protocol is {protocol!r:.60}, and {', '.join(PROTOCOLS)} is read")
    for model in models.values():
        for kind in _kinds(of_kind(model, dict, "model")).values():
            _check_kind(kind)


def _check_kind(kind: dict[str, Any]) -> None:
    """Raise unless the figures of a kind of prompts are what the page reads."""
    for part in ("right", "floor", "ceiling"):
        for share in of_kind(kind[part], dict, part).values():
            of_kind(share, (int, float), part)
    if not kind["right"].keys() <= kind["floor"].keys() & kind["ceiling"].keys():
        raise ValueError("its floor or ceiling lacks an attribute")
    for clip in of_kind(kind["clips"], list, "clips"):
        of_kind(clip["prompt"], str, "prompt")
        of_kind(clip["seed"], int, "seed")
        for share in of_kind(clip["right"], dict, "right").values():
            of_kind(share, (int, float), "right")
        for thing in of_kind(clip["found"], list, "found"):
            of_kind(thing["speed"], (int, float), "speed")
            for name in ("colour", "shape", "direction"):
                of_kind(thing[name], str, name)
        if "strip" in clip and not _strip(clip).startswith(_JPEG):
            raise ValueError("a strip is not a JPEG")


def _strip(clip: dict[str, Any]) -> bytes:
    """The picture of a clip.

    Raises:
        ValueError: it is not a text in base 64.
    """
    try:
        return base64.b64decode(of_kind(clip["strip"], str, "strip"), validate=True)
    except binascii.Error as error:
        raise ValueError(f"a strip cannot be read: {error}") from error


def _model(name: str, model: dict[str, Any]) -> list[str]:
    """The part of the page about a generator."""
    kinds = _kinds(model)
    heads = "".join(f"<th>{_text(kind)}</th><th>floor</th><th>ceiling</th>" for kind in kinds)
    attributes = next(iter(kinds.values()))["right"] if kinds else {}
    rows = "".join(
        f"<tr><td>{_text(attribute)}</td>"
        + "".join(
            f"<td>{100 * kind[part][attribute]:.1f} %</td>"
            for kind in kinds.values()
            for part in ("right", "floor", "ceiling")
        )
        + "</tr>"
        for attribute in attributes
    )
    parts = [f"<h2>{_text(name)}</h2><table><tr><th>right</th>{heads}</tr>{rows}</table>"]
    for title, kind in kinds.items():
        figures = [_figure(clip) for clip in kind["clips"] if "strip" in clip]
        if figures:
            parts.append(f'<h3>{_text(title)} combinations</h3><div class="clips">{"".join(figures)}</div>')
    return parts


def _figure(clip: dict[str, Any]) -> str:
    """A clip: its frames, what it should show, what was found, and what of it is wrong."""
    wrong = [name for name, share in clip["right"].items() if share < 1]
    found = "; ".join(
        f"{_text(thing['colour'])} {_text(thing['shape'])}, {_text(thing['direction'] or 'still')}, speed "
        f"{thing['speed']:.2f}"
        for thing in clip["found"]
    )
    verdict = f'<span class="wrong">wrong: {_text(", ".join(wrong))}</span>' if wrong else "all right"
    strip = base64.b64encode(_strip(clip)).decode("ascii")
    return (
        f'<figure class="{"wrong-clip" if wrong else "right"}">'
        f'<img alt="{_text(clip["prompt"])}" src="data:image/jpeg;base64,{strip}">'
        f"<figcaption>{_text(clip['prompt'])} <small>(seed {clip['seed']})</small><br>"
        f"<small>found: {found or 'nothing'}</small><br>{verdict}</figcaption></figure>"
    )


def _text(text: object) -> str:
    """Text that is nothing but text in HTML, also inside an attribute."""
    return html.escape(str(text).encode("utf-8", "replace").decode("utf-8"), quote=True)
