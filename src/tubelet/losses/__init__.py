"""Losses, one file each: a reference and a video in, one number with a gradient out."""
