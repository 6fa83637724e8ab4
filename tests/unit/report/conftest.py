"""Made-up results, of the format of an evaluation."""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tubelet.evaluate.measures import describe
from tubelet.evaluate.results_file import FORMAT
from tubelet.evaluate.summary import LEVEL, RESAMPLES, summarise
from tubelet.report.read import Results

MakeResults = Callable[..., Results]


@pytest.fixture
def make_results() -> MakeResults:
    """Make results from figures by system and clip; those per pixel are rates; a text is an error."""

    def make(
        systems: Mapping[str, Mapping[str, Mapping[str, float] | str]],
        *,
        tags: Mapping[str, dict[str, str]] | None = None,
        facts: Mapping[str, dict[str, Any]] | None = None,
    ) -> Results:
        tags = tags or {}
        names = dict.fromkeys(clip for clips in systems.values() for clip in clips)
        found = {
            text: {clip: made_clip(figures) for clip, figures in clips.items()}
            for text, clips in systems.items()
        }
        measures = dict.fromkeys(
            name for clips in found.values() for clip in clips.values() for name in clip.get("figures", {})
        )
        return Results(
            folder=Path("results"),
            protocol="made-up v1: nothing was measured.",
            circumstances={
                "command": "none",
                "commit": "abc",
                "date": "2026-01-02T03:04:05+00:00",
                "machine": {"cpu": "none", "cores": 1},
            },
            figures=as_stored(
                {
                    "format": FORMAT,
                    "data": "clips",
                    "intervals": {
                        "way": "bootstrap over clips",
                        "level": LEVEL,
                        "resamples": RESAMPLES,
                        "seed": 0,
                    },
                    "measures": describe(list(measures)),
                    "clips": {name: {"tags": tags.get(name, {})} for name in names},
                    "systems": {
                        text: {
                            "facts": made_facts(text) | (facts or {}).get(text, {}),
                            "clips": clips,
                            "summary": summarise(clips, dict(tags), seed=0),
                        }
                        for text, clips in found.items()
                    },
                }
            ),
        )

    return make


def as_stored(value: Any) -> Any:
    """The same as it comes back from a file, in which infinite is null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {name: as_stored(each) for name, each in value.items()}
        case _:
            return value


def made_clip(figures: Mapping[str, float] | str) -> dict[str, Any]:
    """What results hold of a clip."""
    if isinstance(figures, str):
        return {"error": figures}
    return {
        "figures": {name: float(value) for name, value in figures.items() if not name.endswith("_per_pixel")},
        "rate": {name: float(value) for name, value in figures.items() if name.endswith("_per_pixel")},
        "absent": {},
        "squared_error": [1000, 100],
        "pixels": 100,
        "seconds_encode": 1.0,
        "seconds_decode": 1.0,
    }


def made_facts(text: str) -> dict[str, Any]:
    """Who a system is, from its text."""
    if coded := re.fullmatch(r"(x26\d):crf=(\d+)(?:,preset=(\w+))?", text):
        options = {"crf": coded[2], "preset": coded[3] or "medium"}
        return {"kind": "codec", "encoder": coded[1], "options": options}
    ours = re.fullmatch(r"([^@:]+)(?:@(\d+))?(?::step=([\d.]+))?", text)
    assert ours is not None, text
    facts = {"name": ours[1], "stride": [1 if "1x8x8" in ours[1] else 4, 8, 8], "lead_frame": True}
    if ours[2] is None:
        return facts | {"kind": "tokens", "codebook_sizes": [64000]}
    facts["channels"] = int(ours[2])
    return facts | ({"kind": "tube", "step": float(ours[3])} if ours[3] else {"kind": "latent"})
