"""The card of what a run made: what it is, what it was made from, and how it went."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tubelet.train.average import unfinished_text
from tubelet.train.journal import read_log

Line = dict[str, Any]
"""Figures of an iteration, as the log of a run holds them."""


def run_card(
    name: str,
    run: Path,
    facts: dict[str, Any],
    *,
    progress: float,
    about: str,
    clips: str,
    notes: Sequence[str],
    curve: Mapping[str, Callable[[Line], float]],
) -> str:
    """Write the card of a run's weights.

    Args:
        name: of what was made.
        run: folder of the run.
        facts: what the run says of itself.
        progress: fraction of the run that is done.
        about: what was made, in a paragraph.
        clips: what it was made from, in a line.
        notes: further points, in Markdown.
        curve: columns of the curve beside the loss: a title, and a figure of an iteration.
    """
    log = [line for line in read_log(run) if isinstance(line.get("total"), int | float)]
    last = log[-1] if log else {"iteration": 0, "seconds": 0.0}
    where = facts["circumstances"]
    unfinished = [f"**Not finished**: {unfinished_text(progress)}"] if progress < 1 else []
    points = "\n".join(f"- {each}" for each in (*unfinished, *notes))
    return f"""# {name}

{about}

- **Made by** `{where["command"]}`, {last["iteration"]} iterations in {last["seconds"] / 3600:.2f} hours on
  {where["machine"]["cpu"]} ({where["machine"]["cores"]} cores), torch {where["versions"]["torch"]}.
- **From** {clips}.
{points}

## Curve

{_curve(log, {"loss": lambda line: line["total"], **curve})}

## Recipe

```json
{json.dumps(facts["config"], indent=1)}
```
"""


def crops_text(facts: dict[str, Any]) -> str:
    """From which prepared crops a run learnt, in a line."""
    return f"{facts['crops']} crops of {len(facts['clips'])} clips, each clip counting the same"


def _curve(log: Sequence[Line], columns: Mapping[str, Callable[[Line], float]]) -> str:
    """The mean figures of each tenth of a run."""
    titles = ("hours", "iteration", *columns)
    rows = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    for places in np.array_split(np.arange(len(log)), min(10, max(1, len(log)))):
        part = [log[place] for place in places]
        if part:
            means = [f"{np.mean([figure(line) for line in part]):.4g}" for figure in columns.values()]
            hours, iteration = part[-1]["seconds"] / 3600, part[-1]["iteration"]
            rows.append(f"| {' | '.join([f'{hours:.2f}', str(iteration), *means])} |")
    return "\n".join(rows)
