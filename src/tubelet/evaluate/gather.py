"""The content of the results of an evaluation, put together from its parts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tubelet.errors import OutputError
from tubelet.evaluate.evaluation import Evaluation
from tubelet.evaluate.measures import describe
from tubelet.evaluate.results_file import FORMAT
from tubelet.evaluate.sets import ClipFeatures, from_part
from tubelet.evaluate.summary import LEVEL, RESAMPLES, summarise
from tubelet.evaluate.tags import Tags
from tubelet.jobs.parts import read_part
from tubelet.jobs.plan import Job
from tubelet.results import version_of
from tubelet.video.ranges import AnyVideo

_PACKAGES = ("opencv-python-headless", "imageio-ffmpeg", "diffusers", "einops", "safetensors")


def gather(
    evaluation: Evaluation,
    jobs: Sequence[Job],
    identities: Mapping[AnyVideo, dict[str, Any]],
    facts: dict[str, dict[str, Any]],
    tags: Tags,
) -> dict[str, Any]:
    """The content of the results, from the parts.

    Args:
        evaluation: what was evaluated.
        jobs: of all clips and systems.
        identities: of the clips.
        facts: of the systems, by text.
        tags: of the clips.

    Raises:
        OutputError: a part is missing.
    """
    clips = {
        each["name"]: {"bytes": each["bytes"], "sha256": each["sha256"], "tags": _tags_of(tags, each["name"])}
        for each in identities.values()
    }
    systems: dict[str, dict[str, Any]] = {text: {"facts": each, "clips": {}} for text, each in facts.items()}
    sets = evaluation.sets
    features: dict[str, dict[str, dict[str, ClipFeatures]]] = {
        text: {measure: {} for measure in sets} for text in facts
    }
    for job in jobs:
        part = read_part(job.target, made_from=job.made_from)
        if part is None:
            raise OutputError(f"{job.target} is gone or was changed meanwhile. Run the same command again.")
        name, text = job.made_from["clip"]["name"], job.work["system"]
        del part["made_from"]
        clips[name] |= part.pop("clip", {})
        for measure, found in from_part(part.pop("features", {})).items():
            features[text][measure][name] = found
        systems[text]["clips"][name] = _with_numbers(part)
    named = {name: clip["tags"] for name, clip in clips.items()}
    for text, system in systems.items():
        system["summary"] = summarise(system["clips"], named, seed=evaluation.seed, features=features[text])
    good = [part for system in systems.values() for part in system["clips"].values() if "error" not in part]
    names = dict.fromkeys(name for part in good for name in [*part["figures"], *part["absent"]])
    return {
        "format": FORMAT,
        "protocol": evaluation.protocol.to_json(),
        "data": evaluation.title,
        "intervals": {
            "way": "bootstrap over clips",
            "level": LEVEL,
            "resamples": RESAMPLES,
            "seed": evaluation.seed,
        },
        "measures": describe(list(names | dict.fromkeys(sets))),
        "weights": {each.network: each.sha256 for each in evaluation.weights},
        "versions": package_versions(),
        "clips": clips,
        "systems": systems,
    }


def _tags_of(tags: Tags, name: str) -> dict[str, str]:
    """By the path below the folder, or by the name of the file alone."""
    return tags.get(name, tags.get(Path(name).name, {}))


def _with_numbers(part: dict[str, Any]) -> dict[str, Any]:
    """A part whose infinities are numbers again."""
    if "error" in part:
        return part
    drift = part.get("drift_psnr_db", {})
    part |= {"drift_psnr_db": {number: float(value) for number, value in drift.items()}} if drift else {}
    part["figures"] = {name: float(value) for name, value in part["figures"].items()}
    part["curves"] = {name: [float(value) for value in curve] for name, curve in part["curves"].items()}
    return part


def package_versions() -> dict[str, str | None]:
    """Packages that decide figures, beyond those that all results name."""
    return {name: version_of(name) for name in _PACKAGES}
