"""Local, causal building blocks and their streaming state; knows no quantizer, loss or configuration."""
