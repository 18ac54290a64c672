"""DMB: an appearance memory that answers with masks, and a spatial memory that is a filter learned online."""
