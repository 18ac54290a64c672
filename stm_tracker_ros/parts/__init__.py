"""Building blocks that more than one tracker uses, or will."""
