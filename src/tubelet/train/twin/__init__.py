"""Training of structure and dynamics, on crops and on rendered pairs whose true swap is known."""
