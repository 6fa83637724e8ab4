"""What folders hold: tokenizers, training runs, prepared crops, evaluations that go on."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tubelet.types import Part


def checkpoint_facts(folder: Path) -> dict[str, object]:
    """A tokenizer; it is loaded, so damage is told."""
    from tubelet import checkpoint
    from tubelet.tokenizers.save import FORMAT

    facts: dict[str, object] = {"path": str(folder), "format": f"tokenizer {FORMAT}"}
    if checkpoint.architecture(folder) == "discrete":
        discrete = checkpoint.read_discrete(folder)
        backbone, sha256, name = discrete.tokenizer.backbone, discrete.sha256, discrete.name
        sizes = discrete.tokenizer.codebook_sizes
        kind: dict[str, object] = {
            "gives": "tokens",
            "quantizer": discrete.tokenizer.config.quantizer.kind,
            "tokens_per_position": len(sizes),
            "codebook_sizes": list(sizes),
        }
    else:
        known = checkpoint.read_continuous(folder)
        backbone, sha256, name = known.tokenizer, known.sha256, known.name
        kind = {"gives": "latents", "variational": backbone.variational}
    return facts | {
        "name": name,
        "sha256": sha256,
        **kind,
        "stride": str(backbone.stride),
        "lead_frame": backbone.lead_frame,
        "channels": sum(part.channels for part in backbone.parts if part.ordered),
        **several_parts(backbone.parts),
        "networks": bool(backbone.model.networks()),
        "weights": sum(each.numel() for each in backbone.state_dict().values()),
        "mflop_per_pixel": round(backbone.flops_per_pixel() / 1e6, 4),
        "bytes": sum(path.stat().st_size for path in folder.iterdir() if path.is_file()),
    }


def several_parts(parts: "Sequence[Part]") -> dict[str, object]:
    """What the parts of a latent are; nothing where there is one."""
    if len(parts) == 1:
        return {}
    return {"parts": {part.name: {"channels": part.channels, "stride": str(part.stride)} for part in parts}}


def run_facts(folder: Path) -> dict[str, object]:
    """A training run, finished or not."""
    from tubelet.files.marks import RUN_FILE
    from tubelet.train.journal import read_log
    from tubelet.train.run_folder import read_run
    from tubelet.train.state import checkpoints, read_numbers

    said = read_run(folder / RUN_FILE)
    there = checkpoints(folder)
    numbers = read_numbers(there[-1]) if there else {"iteration": 0, "seconds": 0.0, "progress": 0.0}
    losses = [line["total"] for line in read_log(folder) if isinstance(line.get("total"), int | float)]
    model, quantizer = said["config"].get("model"), said["config"].get("quantizer")
    return {
        "path": str(folder),
        "format": "training run",
        "model": model.get("name") if isinstance(model, dict) else None,
        "quantizer": quantizer.get("kind") if isinstance(quantizer, dict) else None,
        "data": said.get("folder"),
        "crops": said.get("crops"),
        "checkpoints": [path.name for path in there],
        "iteration": numbers["iteration"],
        "hours": round(numbers["seconds"] / 3600, 4),
        "progress": numbers["progress"],
        "loss": losses[-1] if losses and math.isfinite(losses[-1]) else None,
        "command": said["circumstances"]["command"],
        "date": said["circumstances"]["date"],
    }


def crops_facts(folder: Path) -> dict[str, object]:
    """A folder that `tubelet prepare` made."""
    from tubelet.data.crops import COMPRESSED, FORMAT, open_crops

    crops = open_crops(folder)
    reasons = Counter(clip.skipped for clip in crops.skipped)
    return {
        "path": str(folder),
        "format": f"prepared crops {COMPRESSED if crops.compressed else FORMAT}",
        "crops": len(crops),
        "frames": crops.frames,
        "width": crops.side,
        "height": crops.side,
        "clips": len(crops.clips),
        "skipped": dict(reasons.most_common()),
        "per_clip": crops.settings["per_clip"],
        "seed": crops.settings["seed"],
        "bytes": crops.size,
    }


def dataset_facts(folder: Path) -> dict[str, object]:
    """A data set that `tubelet encode-dataset` made."""
    from tubelet.data.shards.summary import summarise

    return summarise(folder)


def unfinished_evaluation_facts(folder: Path) -> dict[str, object]:
    """An evaluation that was interrupted."""
    return {
        "path": str(folder),
        "format": "evaluation",
        "finished": False,
        "parts": len(list((folder / "parts").glob("*.json"))),
    }
