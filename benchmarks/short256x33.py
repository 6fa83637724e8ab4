"""Quality of a tokenizer on a folder of clips: `python benchmarks/short256x33.py FOLDER [TOKENIZER ...]`.

Protocol short256x33: the first 33 frames of each clip, accurate colour conversion, area filter to a short
side of 256 (never up), rounded to 8 bits; the latent is not quantised; the output is rounded to 8 bits; PSNR
is 10 log10(255^2 / mean squared error over the clip's RGB); then the mean over the clips.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

import tubelet
from tubelet.data.clips import find_clips
from tubelet.errors import LossWarning
from tubelet.metrics.psnr import ClipPSNR
from tubelet.results import write_results
from tubelet.types import Frames
from tubelet.video.pixels import from_model, to_model
from tubelet.video.read import read
from tubelet.video.resize import shrink_to_short_side

FRAMES = 33
CHANNELS = (4, 8, 16, 32, 48, 64, 128, 256)
REFERENCE = {4: 23.45, 8: 27.05, 16: 29.23, 32: 32.02, 48: 34.18, 64: 35.84}
"""An independent PCA at stride 4x8x8 on the same clips, as the issue "Main job" states it."""


def main() -> None:
    """Measure and write benchmarks/results/short256x33.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("tokenizers", nargs="*", default=["klt-4x8x8"])
    parser.add_argument("-o", type=Path, default=Path("benchmarks/results/short256x33.json"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", LossWarning)
    clips = {path.name: first_frames(path) for path in find_clips(arguments.folder)}
    figures = {name: measure(name, clips) for name in arguments.tokenizers}
    write_results(
        arguments.o,
        protocol=" ".join((__doc__ or "").split()),
        figures={"clips": len(clips), "tokenizers": figures, "reference_mean_psnr_db_at_4x8x8": REFERENCE},
    )


def first_frames(path: Path) -> Frames:
    """The frames of a clip that the protocol compares."""
    frames = np.concatenate([run.frames.copy() for run in read(path, stop=FRAMES)])
    return shrink_to_short_side(frames, 256)


def measure(name: str, clips: dict[str, Frames]) -> dict[str, object]:
    """PSNR at every number of channels."""
    tokenizer = tubelet.load(name)
    kept = [count for count in CHANNELS if count <= tokenizer.channels]
    table: dict[int, dict[str, float]] = {count: {} for count in kept}
    for clip, frames in clips.items():
        length, height, width = frames.shape[:3]
        latent = tokenizer.encode(to_model(frames))
        for count in kept:
            psnr = ClipPSNR()
            video = tokenizer.decode(latent[:, :count], frames=length, height=height, width=width)
            psnr.update(frames, from_model(video))
            table[count][clip] = round(psnr.compute(), 4)
    mean = {count: round(float(np.mean(list(table[count].values()))), 3) for count in kept}
    print(name, "  ".join(f"{count}: {value:.2f} dB" for count, value in mean.items()))
    return {"mean_psnr_db": mean, "psnr_db": table}


if __name__ == "__main__":
    main()
