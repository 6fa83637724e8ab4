"""Where the figures of an evaluation lie, and in which format."""

RESULTS = "results.json"
"""The file of an evaluation's figures, in its folder; docs/reference/results-format.md describes it."""

FORMAT = 1
"""Of that file, and of the parts that it is put together from."""
