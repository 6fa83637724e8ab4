"""What is seen from afar and what it lacks, as two parts of the latent of another tokenizer."""
