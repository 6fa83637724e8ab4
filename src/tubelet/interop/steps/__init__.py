"""A tokenizer as two functions of one step, in whatever format they are written, for any runtime."""
