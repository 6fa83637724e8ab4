"""Clips to learn and measure from: finding them, sampling them, making them."""
