"""Generators: networks that make latents or tokens from text, for tokenizers to decode."""
