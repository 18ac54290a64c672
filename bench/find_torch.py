"""Print the folder that holds the torch of the running Python; exit with 1 if there is none of 2.2 or later."""

from __future__ import annotations

import sys
from pathlib import Path

FLOOR = (2, 2)


def main() -> int:
    """Print the folder; returns the exit status."""
    try:
        import torch
    except (ImportError, OSError):
        return 1
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < FLOOR:
        return 1
    print(Path(torch.__file__).resolve().parents[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
