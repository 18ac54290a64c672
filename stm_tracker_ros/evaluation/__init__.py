"""Running a tracker over sequences, and scoring what it wrote."""
