"""A frozen tokenizer whose decoder's output is refined by a flow from noise."""
