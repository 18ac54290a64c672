"""Follow one target that the operator names through a camera stream, with memory-network trackers."""
