"""What is seen and how it moves as parts of their own: a structure for each chunk of frames, and dynamics."""
