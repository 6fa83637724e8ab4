"""Training a tokenizer: its configuration, its losses, and its way from a run to a checkpoint."""
