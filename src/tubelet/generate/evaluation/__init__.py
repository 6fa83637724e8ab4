"""Generated clips against their prompts, without any trained network."""
