"""Metrics, one file each: update with what there is, compute at the end."""
