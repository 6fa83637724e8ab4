"""The worst clips as lossless videos, and what their latents look like, to look at."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tubelet.evaluate.clips import open_clip, windows
from tubelet.evaluate.evaluation import Evaluation
from tubelet.evaluate.latent_preview import LatentPreview, latent_preview
from tubelet.evaluate.motion_preview import MotionPreview, motion_preview
from tubelet.evaluate.worker import Worker, video_of
from tubelet.files import output_errors, replacing
from tubelet.jobs.plan import Job
from tubelet.types import Frames
from tubelet.video.write import Writer

FOLDER = "videos"

_SUFFIXES = {
    "latents": "latent.npy",
    "tokens": "tokens.npy",
    "counts": "counts.npy",
    "motion": "motion.npy",
}


def keep_videos(
    evaluation: Evaluation, results: dict[str, Any], jobs: Sequence[Job], worker: Worker
) -> dict[str, dict[str, Any]]:
    """Write the worst clips and what each system made of them, as Matroska with FFV1 in RGB.

    Worst is the lowest PSNR, in the mean over the systems; the same clips are kept for all systems. Clips
    with an error are not. They are reconstructed again. Of what has a latent, tokens or counts, those of the
    middle latent step are written too, as arrays; of what knows motion, that of all steps.

    Args:
        evaluation: what was evaluated, and how many clips are kept.
        results: what is known of all clips and systems.
        jobs: of all clips and systems.
        worker: what opens the systems.

    Returns:
        By name of the clip: ``source``, and ``systems`` by their texts, as paths below the folder;
        ``latents``, ``tokens``, ``counts`` and ``motion`` by their texts, each with its ``path`` and its
        ``frames``.
    """
    folder, protocol = evaluation.folder, evaluation.protocol
    with output_errors(folder):
        (folder / FOLDER).mkdir(exist_ok=True)
    kept: dict[str, dict[str, Any]] = {
        name: {"systems": {}} | {kind: {} for kind in _SUFFIXES} for name in worst(results)[: evaluation.keep]
    }
    for job in jobs:
        name = job.made_from["clip"]["name"]
        if name not in kept:
            continue
        text = job.work["system"]
        clip = open_clip(video_of(job, worker.copies), protocol)
        stem = job.target.stem
        if "source" not in kept[name]:
            kept[name]["source"] = _write(folder, f"{stem.split('--')[0]}--source", clip.frames, clip.rate)
        system = worker.system(text)
        parts = [system.reconstruct(part, clip.rate).frames for part in windows(clip.frames, protocol)]
        back = np.concatenate(parts)[: len(clip.frames)] if len(parts) > 1 else parts[0][: len(clip.frames)]
        kept[name]["systems"][text] = _write(folder, stem, back, clip.rate)
        preview = latent_preview(system, clip.frames, protocol)
        if preview is not None:
            kept[name][preview.kind][text] = _write_array(
                folder, f"{stem}.{_SUFFIXES[preview.kind]}", preview
            )
        moved = motion_preview(system, clip.frames, protocol)
        if moved is not None:
            kept[name]["motion"][text] = _write_array(folder, f"{stem}.{_SUFFIXES['motion']}", moved)
    return kept


def worst(results: dict[str, Any]) -> list[str]:
    """Names of clips that every system gave back, the worst first."""
    systems = [system["clips"] for system in results["systems"].values()]
    means = {
        name: float(np.mean([clips[name]["figures"]["psnr_db"] for clips in systems]))
        for name in results["clips"]
        if all("psnr_db" in clips[name].get("figures", {}) for clips in systems)
    }
    return sorted(means, key=lambda name: (means[name], name))


def _write(folder: Path, stem: str, frames: Frames, rate: Fraction) -> str:
    path = folder / FOLDER / f"{stem}.mkv"
    height, width = frames.shape[1:3]
    with Writer(path, width=width, height=height, time_base=1 / rate, force=True) as writer:
        writer.write(frames, np.arange(len(frames)))
    return path.relative_to(folder).as_posix()


def _write_array(folder: Path, name: str, preview: LatentPreview | MotionPreview) -> dict[str, Any]:
    """Write what a page shows; give its path, and the frames that it stands for."""
    path = folder / FOLDER / name
    with replacing(path, force=True) as beside:
        np.save(beside, preview.values, allow_pickle=False)
    return {"path": path.relative_to(folder).as_posix(), "frames": list(preview.frames)}
