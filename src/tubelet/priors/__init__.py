"""What symbols come next, as integers: networks of small integers that answer with indices into tables."""
