"""Prepare the data of the shipped weights: `python scripts/prepare_shipped.py ../shared/data/train DATA`.

Clips that the folder's manifest marks as part of a benchmark are left out; 24 crops of 33 x 160 x 160 each.
Takes about ten minutes on two cores and 8 GB of disk. Then:

    tubelet train m --data DATA -o runs/m --time-limit 47m
    tubelet export-checkpoint runs/m -o src/tubelet/weights/tubelet-m
"""

import csv
import sys
from pathlib import Path

from tubelet.data.clips import find_clips
from tubelet.data.prepare import PrepareConfig, prepare_crops

PER_CLIP = 24


def main(folder: Path, target: Path) -> None:
    """Prepare, and say which clips gave nothing."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        benchmarks = [
            row["file"] for row in csv.DictReader(file) if row["benchmark"].strip() not in {"", "no"}
        ]
    clips = find_clips(folder, exclude=benchmarks)
    crops = prepare_crops(
        clips,
        target,
        PrepareConfig(per_clip=PER_CLIP),
        on_skip=lambda path, reason: print(f"{path.name}: {reason}"),
    )
    print(f"{len(crops)} crops of {len(crops.clips)} clips in {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
