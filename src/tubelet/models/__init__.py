"""Networks that turn groups of frames into parts of a latent, step by step, and back."""
