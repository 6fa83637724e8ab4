"""Prepare the data of the shipped weights: `python scripts/prepare_shipped.py ../shared/data/train DATA`.

Clips that the folder's manifest marks as part of a benchmark are left out; 24 crops of 33 x 160 x 160 each.
Takes about ten minutes on two cores and 8 GB of disk. Then:

    tubelet train m --data DATA -o runs/m --time-limit 47m
    tubelet export-checkpoint runs/m -o src/tubelet/weights/tubelet-m
    tubelet train fsq --data DATA -o runs/fsq --time-limit 44m
    tubelet export-checkpoint runs/fsq -o src/tubelet/weights/tubelet-fsq

`tubelet-m` went on for longer; its card has every command.
"""

import sys
from pathlib import Path

from fit_shipped import training_clips

from tubelet.data.cutting import PrepareConfig
from tubelet.data.prepare import prepare_crops

PER_CLIP = 24


def main(folder: Path, target: Path) -> None:
    """Prepare, and say which clips gave nothing."""
    crops = prepare_crops(
        training_clips(folder),
        target,
        PrepareConfig(per_clip=PER_CLIP),
        on_skip=lambda path, reason: print(f"{path.name}: {reason}"),
    )
    print(f"{len(crops)} crops of {len(crops.clips)} clips in {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
