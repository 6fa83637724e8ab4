"""How well a tokenizer that predicts continues clips, beside what costs nothing, and what it pays.

    python experiments/continuations.py --tokenizer tubelet-predict [--beside tubelet-m16] [--clips CLIPS]
                                        [--scenes 200] [-o FIGURES.json]

The first 17 frames of a clip are seen and the 12 after them continued: the frames +1 to +4, +5 to +8 and +9
to +12 apart, where a clip has as many (one of fewer than 21 frames is left out). *Continued* is what
`tubelet continue` writes, *predicted* what the latent alone gives. Beside them stand the source's last frame
that goes on, the same frame as it came back from the tokenizer, and latents that go on as they changed from
the step before the last to the last.
Clips are prepared as short256x33 prepares them; scenes are rendered at 64x64, with one thing that moves in
any direction and may bounce. PSNR is of four frames together, rounded to 8 bits, and then the mean over
clips; tOF is over the last frame seen and all 12. Reconstructions are of 33 frames. Latents are those of 33
frames of all clips.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch

import tubelet
from tubelet.data.clips import find_clips
from tubelet.data.scenes import SceneOptions, scene_at
from tubelet.evaluate.clips import open_clip
from tubelet.evaluate.protocols import PROTOCOLS
from tubelet.metrics.latents import LatentStatistics
from tubelet.metrics.psnr import ClipPSNR
from tubelet.metrics.tof import ClipTOF
from tubelet.results import circumstances
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Frames
from tubelet.video.pixels import from_model, to_model

FRAMES = 33
SEEN = 17
AHEAD = 12
MOST = 60.0
"""PSNR in dB of frames that differ nowhere."""

SEED = 20_261_129
"""Of the scenes: no run of training draws from it."""


def main() -> None:
    """Measure, and print a table for scenes and one for clips."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokenizer", default="tubelet-predict")
    parser.add_argument("--beside", default="tubelet-m16", help="what reconstructs without predicting")
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tokenizers = {name: tubelet.load(name) for name in (arguments.tokenizer, arguments.beside)}
    sets: dict[str, Iterable[tuple[str, Frames]]] = {}
    if arguments.scenes:
        sets["scenes"] = _scenes(arguments.scenes)
    if arguments.clips is not None:
        sets["clips"] = _clips(arguments.clips)
    figures = {}
    for name, clips in sets.items():
        figures[name] = _of_set(clips, tokenizers, arguments.tokenizer)
        print(name)
        print(json.dumps(figures[name]["mean"], indent=1), flush=True)
        if arguments.output is not None:
            content = {"figures": figures, "circumstances": circumstances()}
            arguments.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _scenes(count: int) -> Iterator[tuple[str, Frames]]:
    options = SceneOptions(frames=FRAMES, still=0.0)
    for index in range(count):
        yield f"scene {index}", scene_at(index, seed=SEED, options=options).frames()


def _clips(folder: Path) -> Iterator[tuple[str, Frames]]:
    for path in find_clips(folder):
        frames = open_clip(path, PROTOCOLS["short256x33"]).frames
        if len(frames) >= SEEN + 4:
            yield path.name, frames


def _of_set(
    clips: Iterable[tuple[str, Frames]], tokenizers: Mapping[str, ContinuousTokenizer], predicting: str
) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    latents = {name: LatentStatistics() for name in tokenizers}
    for clip, frames in clips:
        row = _continued(tokenizers[predicting], frames)
        for name, tokenizer in tokenizers.items():
            latent = tokenizer.encode(to_model(frames))
            latents[name].update(latent)
            height, width = frames.shape[1:3]
            back = tokenizer.decode(latent, frames=len(frames), height=height, width=width)
            row["reconstruction_psnr_db", name] = _psnr(frames, from_model(back))
        rows[clip] = row
    # A short clip has fewer frames to continue.
    keys = dict.fromkeys(key for row in rows.values() for key in row)
    mean = {_text(key): round(fmean(row[key] for row in rows.values() if key in row), 3) for key in keys}
    return {
        "clips": len(rows),
        "mean": mean,
        "above_both_copies_at_4": {
            way: sum(_above_copies(row, way) for row in rows.values()) for way in ("continued", "predicted")
        },
        "latents": {name: _latent_figures(statistics) for name, statistics in latents.items()},
        "rows": {
            clip: {_text(key): round(value, 3) for key, value in row.items()} for clip, row in rows.items()
        },
    }


def _continued(tokenizer: ContinuousTokenizer, frames: Frames) -> dict[Any, float]:
    """PSNR of each four frames after those that are seen, and tOF of them all, for every way to go on."""
    height, width = frames.shape[1:3]
    seen, truth = frames[:SEEN], frames[SEEN : SEEN + AHEAD]
    latent = tokenizer.encode(to_model(seen))
    steps = AHEAD // tokenizer.stride.t
    whole = from_model(tokenizer.decode(latent, frames=SEEN, height=height, width=width, ahead=steps))
    change = latent[:, :, -1:] - latent[:, :, -2:-1]
    onward = torch.cat([latent, *(latent[:, :, -1:] + n * change for n in range(1, steps + 1))], dim=2)
    extrapolated = tokenizer.decode(onward, frames=SEEN + AHEAD, height=height, width=width)
    ways = {
        "continued": from_model(
            tubelet.continue_clip(to_model(seen), frames=steps * tokenizer.stride.t, tokenizer=tokenizer)
        ),
        "predicted": whole[SEEN:],
        "last frame": np.repeat(seen[-1:], AHEAD, axis=0),
        "last frame came back": np.repeat(whole[SEEN - 1 : SEEN], AHEAD, axis=0),
        "latent goes on": from_model(extrapolated)[SEEN:],
    }
    row: dict[Any, float] = {}
    for way, found in ways.items():
        for end in range(4, len(truth) + 1, 4):
            row["psnr_db", way, end] = _psnr(truth[end - 4 : end], found[end - 4 : end])
        motion = ClipTOF()
        motion.update(frames[SEEN - 1 : SEEN + AHEAD], np.concatenate([seen[-1:], found[: len(truth)]]))
        row["tof_px", way] = motion.compute()
    return row


def _above_copies(row: Mapping[Any, float], way: str) -> bool:
    return row["psnr_db", way, 4] > max(
        row["psnr_db", "last frame", 4], row["psnr_db", "last frame came back", 4]
    )


def _psnr(reference: Frames, frames: Frames) -> float:
    measure = ClipPSNR()
    measure.update(reference, frames)
    return min(measure.compute(), MOST)


def _text(key: tuple[Any, ...]) -> str:
    return " ".join(f"+{part}" if isinstance(part, int) else str(part) for part in key)


def _latent_figures(statistics: LatentStatistics) -> dict[str, Any]:
    found = asdict(statistics.compute())
    return {
        "predictability": round(fmean(found["predictability"]), 4),
        "distance": {lag: round(fmean(values), 4) for lag, values in found["distance"].items()},
    }


if __name__ == "__main__":
    main()
