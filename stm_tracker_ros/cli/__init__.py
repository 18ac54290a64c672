"""One file a command; argument parsing only."""
