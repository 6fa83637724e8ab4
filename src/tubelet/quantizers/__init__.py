"""Quantizers: latent to integers and back, one file each."""
