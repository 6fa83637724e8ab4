"""Latent diffusion: a transformer that flows from noise to the latent of a clip, guided by text."""
