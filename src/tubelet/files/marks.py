"""Names of files by which folders of ours are known, for rooms that may not import one another."""

RUN_FILE = "run.json"
"""Says what a training run is; a folder that holds one is that of a run, and not yet a tokenizer."""
