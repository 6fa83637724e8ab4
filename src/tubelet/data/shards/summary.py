"""What a data set holds, from its description and its indices alone."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tubelet.data.shards.description import read_description
from tubelet.data.shards.index import read_index
from tubelet.data.shards.losses import summed
from tubelet.data.shards.statistics import deviations, joined

_SHAPES = 8
"""Shapes that are named; the most frequent."""


def summarise(folder: Path) -> dict[str, Any]:
    """What a data set holds, as JSON holds it.

    Raises:
        DatasetError: the folder holds no data set, or an index is damaged.
    """
    description = read_description(folder)
    indices = [read_index(description.index_path(folder, number)) for number in range(description.shards)]
    made = [index for index in indices if index is not None]
    shapes = Counter(
        f"{name} {'x'.join(map(str, shape))}"
        for index in made
        for entry in index.entries
        for name, shape in entry.shapes.items()
    )
    clips = sum(len(index.entries) for index in made)
    return {
        "path": str(folder),
        "format": f"data set of {description.tokenizer['gives']}",
        "tokenizer": description.tokenizer["name"],
        "tokenizer_sha256": description.tokenizer["sha256"],
        "settings": dict(description.settings),
        "clips": clips,
        "failed": sum(len(index.failures) for index in made),
        "frames": sum(index.frames for index in made),
        "shards": description.shards,
        "shards_not_made": len(indices) - len(made),
        "bytes": sum(index.bytes for index in made),
        "shapes": dict(shapes.most_common(_SHAPES)),
        "more_shapes": max(0, len(shapes) - _SHAPES),
        "losses": [asdict(loss) for loss in summed(entry for index in made for entry in index.entries)],
        "statistics": _statistics([index.statistics for index in made if index.statistics]),
    }


def _statistics(all_statistics: list[Any]) -> dict[str, Any]:
    """Mean and standard deviation of each channel of each array."""
    found = {}
    for name in sorted({name for each in all_statistics for name in each}):
        moments = joined(each[name] for each in all_statistics if each.get(name))
        if moments is not None:
            found[name] = {
                "mean": [round(value, 6) for value in moments["mean"]],
                "deviation": [round(value, 6) for value in deviations(moments)],
            }
    return found
