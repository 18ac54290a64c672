"""What benchmarks have in common as programs.

What is refused is a sentence and exit status 2, as of `stm_tracker`; never a traceback.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from stm_tracker_ros.core.surroundings import guarded


def run(file: str, main: Callable[[], int | None]) -> NoReturn:
    """End the process with what `main` returns, None for 0; file: the benchmark's, whose name stands before errors."""
    sys.exit(guarded(Path(file).name, lambda: main() or 0))


def picture_size(text: str) -> tuple[int, int]:
    """The text WIDTHxHEIGHT in pixels; an argparse type."""
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed is WIDTHxHEIGHT in pixels, such as 640x480")
    return int(match[1]), int(match[2])
