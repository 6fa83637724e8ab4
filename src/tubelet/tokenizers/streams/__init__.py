"""Clips that come in runs of frames or of latent steps: one step and one tile at a time."""
