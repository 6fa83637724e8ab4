"""Tokens one after the other: a causal transformer whose likelihood is exact."""
