"""Masked tokens: a transformer that fills in hidden digits, the surest first."""
