"""Training a prior: a task of its own for the loop."""
