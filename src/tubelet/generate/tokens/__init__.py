"""What masked and autoregressive generators have in common: digits, their grid, blocks and training."""
