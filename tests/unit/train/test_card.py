"""The card of a run."""

import json

from tubelet.train.card import crops_text, run_card
from tubelet.train.journal import LOG_FILE

FACTS = {
    "circumstances": {
        "command": "tubelet train toy",
        "machine": {"cpu": "a CPU", "cores": 2},
        "versions": {"torch": "2.13.0"},
    },
    "config": {"seed": 3},
    "crops": 7,
    "clips": {"one.mp4": {}, "two.mp4": {}},
}


def card(folder, lines, *, progress=1.0):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / LOG_FILE).write_text(text, encoding="utf-8")
    return run_card(
        "toy",
        folder,
        FACTS,
        progress=progress,
        about="A toy.",
        clips=crops_text(FACTS),
        notes=["**Quality**: none."],
        curve={"gradient": lambda line: line["gradient"]},
    )


def test_a_curve_has_ten_rows_and_ends_where_the_run_ended(tmp_path):
    lines = [
        {"iteration": i + 1, "seconds": 360.0 * (i + 1), "total": float(i), "gradient": 2.0 * i}
        for i in range(25)
    ]
    found = card(tmp_path, lines)
    rows = [row for row in found.splitlines() if row.startswith("| ")]
    assert rows[0] == "| hours | iteration | loss | gradient |"
    assert rows[1] == "| 0.30 | 3 | 1 | 2 |"
    assert len(rows) == 11 and rows[-1] == "| 2.50 | 25 | 23.5 | 47 |"
    assert "25 iterations in 2.50 hours on\n  a CPU (2 cores), torch 2.13.0." in found
    assert "- **From** 7 crops of 2 clips, each clip counting the same.\n- **Quality**: none." in found
    assert "Not finished" not in found


def test_a_run_that_was_stopped_says_so_and_one_without_a_log_has_no_curve(tmp_path):
    found = card(tmp_path, [], progress=0.25)
    assert "- **Not finished**: it stopped at 25%" in found
    assert found.count("\n| ") == 1
