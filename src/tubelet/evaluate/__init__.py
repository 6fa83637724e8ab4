"""Protocols over data sets: what is reconstructed, measured and summed up. No tables, no plots."""
