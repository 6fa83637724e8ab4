"""Tokenizers: video to latent and back, whole, in streams and in tiles; no losses, files or command line."""
