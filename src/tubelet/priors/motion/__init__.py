"""A prior of vectors and flags: counts of what they were in many clips, by what is around them."""
