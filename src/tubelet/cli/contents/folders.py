"""What folders hold: tokenizers, training runs, prepared crops, evaluations that go on."""

from collections import Counter
from pathlib import Path


def checkpoint_facts(folder: Path) -> dict[str, object]:
    """A tokenizer; it is loaded, so damage is told."""
    from tubelet import checkpoint

    facts: dict[str, object] = {"path": str(folder), "format": f"tokenizer {checkpoint.FORMAT}"}
    if checkpoint.architecture(folder) == "discrete":
        discrete = checkpoint.read_discrete(folder)
        config, backbone, sha256 = discrete.config.backbone, discrete.tokenizer.backbone, discrete.sha256
        sizes = discrete.tokenizer.codebook_sizes
        kind: dict[str, object] = {
            "gives": "tokens",
            "quantizer": discrete.config.quantizer.kind,
            "tokens_per_position": len(sizes),
            "codebook_sizes": list(sizes),
        }
        name = discrete.config.name
    else:
        known = checkpoint.read_checkpoint(folder)
        config, backbone, sha256, name = known.config, known.tokenizer, known.sha256, known.config.name
        kind = {"gives": "latents", "variational": config.variational}
    return facts | {
        "name": name,
        "sha256": sha256,
        **kind,
        "stride": str(backbone.stride),
        "lead_frame": config.lead_frame,
        "channels": backbone.channels,
        "networks": config.encoder_blocks + config.decoder_blocks > 0,
        "weights": sum(each.numel() for each in backbone.state_dict().values()),
        "mflop_per_pixel": round(backbone.flops_per_pixel() / 1e6, 4),
        "bytes": sum(path.stat().st_size for path in folder.iterdir() if path.is_file()),
    }


def run_facts(folder: Path) -> dict[str, object]:
    """A training run, finished or not."""
    from tubelet.train.journal import read_log
    from tubelet.train.run_file import read_run_file
    from tubelet.train.state import checkpoints, read_numbers

    said = read_run_file(folder)
    there = checkpoints(folder)
    numbers = read_numbers(there[-1]) if there else {"step": 0, "seconds": 0.0, "share": 0.0}
    log = read_log(folder)
    quantizer = said.config.get("quantizer")
    return {
        "path": str(folder),
        "format": "training run",
        "model": said.config["model"].get("name"),
        "quantizer": quantizer.get("kind") if isinstance(quantizer, dict) else None,
        "data": said.folder,
        "clips": said.clips,
        "crops": said.crops,
        "checkpoints": [path.name for path in there],
        "step": numbers["step"],
        "hours": round(numbers["seconds"] / 3600, 4),
        "share_done": numbers["share"],
        "loss": log[-1]["total"] if log else None,
        "command": said.command,
        "date": said.date,
    }


def crops_facts(folder: Path) -> dict[str, object]:
    """A folder that `tubelet prepare` made."""
    from tubelet.data.crops import FORMAT, open_crops

    crops = open_crops(folder)
    reasons = Counter(clip.skipped for clip in crops.skipped)
    return {
        "path": str(folder),
        "format": f"prepared crops {FORMAT}",
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


def unfinished_evaluation_facts(folder: Path) -> dict[str, object]:
    """An evaluation that was interrupted."""
    return {
        "path": str(folder),
        "format": "evaluation",
        "finished": False,
        "parts": len(list((folder / "parts").glob("*.json"))),
    }
