"""From pictures and clips to weights."""
