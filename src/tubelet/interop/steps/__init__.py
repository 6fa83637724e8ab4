"""A tokenizer as two functions of one step, whatever they are written as and whoever runs them."""
