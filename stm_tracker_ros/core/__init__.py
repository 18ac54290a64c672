"""The vocabulary that every room shares: numpy and the standard library only."""
