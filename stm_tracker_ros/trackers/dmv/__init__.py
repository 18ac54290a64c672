"""DMV: part-level dense memory, read by a vote of the best matches (Lee et al.; see `tracker.py`)."""
