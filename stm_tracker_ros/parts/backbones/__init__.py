"""Feature extractors, one file each, with the converters for their published weights."""
