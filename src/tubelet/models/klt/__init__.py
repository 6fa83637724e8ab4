"""A learned transform that starts as the best linear one: a KLT, and two small networks that correct it."""
