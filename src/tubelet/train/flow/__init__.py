"""Training the flow that refines a frozen tokenizer."""
