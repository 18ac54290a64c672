"""Print the folder that holds the torch of the running Python, then what numpy it needs; exit with 1 without one.

A torch of 2.2 or later is wanted; those before 2.3 were compiled against numpy 1 and cannot speak to numpy 2.
"""

from __future__ import annotations

import sys
from pathlib import Path

FLOOR = (2, 2)
FIRST_WITH_NUMPY_2 = (2, 3)


def main() -> int:
    """Print two lines; returns the exit status."""
    try:
        import torch
    except (ImportError, OSError):
        return 1
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if version < FLOOR:
        return 1
    print(Path(torch.__file__).resolve().parents[1])
    print("numpy<2" if version < FIRST_WITH_NUMPY_2 else "numpy")
    return 0


if __name__ == "__main__":
    sys.exit(main())
