"""Training: fitting linear transforms, and networks around them."""
