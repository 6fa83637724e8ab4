"""Make docs/figures/channels.jpg: a frame of the built-in clip, and what 4, 16 and 64 channels give back.

    python scripts/docs/picture.py

It needs the extra `demo`. The PSNR of each reconstruction, over all frames that went through, is printed.
"""

from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

import tubelet
from tubelet.data.photographs import DEMO_FRAMES, moving_photographs
from tubelet.metrics.psnr import ClipPSNR
from tubelet.video.write import Writer

CHANNELS = (4, 16, 64)
FIRST, FRAMES, SHOWN = 33, 17, 8  # in the second of the clip's three scenes
HEIGHT, WIDTH = 360, 640
CROP = (slice(10, 250), slice(180, 420))
TARGET = Path("docs") / "figures" / "channels.jpg"


def main() -> None:
    """Make the clip, reconstruct it, put one frame of each side by side."""
    clip = moving_photographs(DEMO_FRAMES, height=HEIGHT, width=WIDTH)
    frames = np.stack(list(islice(clip, FIRST, FIRST + FRAMES)))
    tokenizer = tubelet.load()
    video = tubelet.to_model(frames)
    shown = [frames[SHOWN][CROP]]
    for channels in CHANNELS:
        latent = tokenizer.encode(video, channels=channels)
        back = tubelet.from_model(tokenizer.decode(latent, frames=FRAMES, height=HEIGHT, width=WIDTH))
        psnr = ClipPSNR()
        psnr.update(frames, back)
        print(f"{channels} channels: {psnr.compute():.2f} dB")
        shown.append(np.asarray(back[SHOWN][CROP]))
    row = np.concatenate(shown, axis=1)
    with Writer(
        TARGET, width=row.shape[1], height=row.shape[0], time_base=Fraction(1, 24), force=True
    ) as writer:
        writer.write(row[None], np.zeros(1, np.int64))


if __name__ == "__main__":
    main()
