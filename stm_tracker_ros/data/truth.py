"""True boxes as data sets write them: text with four numbers a frame, apart by commas, tabs, blanks or semicolons."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError

_SEPARATORS = re.compile(r"[,;\s]+")


def read_boxes(path: Path | str, *, first_pixel: int = 0) -> NDArray[np.float64]:
    """Boxes of a text file with a line x, y, width, height a frame, frames x 4 float64; NaN rows = target absent.

    first_pixel: the number that the file gives to the leftmost column and topmost row; what comes back counts from 0.
    A row that is not finite or has no area says the same as NaN: there is no target to overlap with. Raises DataError
    if it is no such file, also for an empty line between others: all after it would belong to the wrong frame.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").rstrip().splitlines()
        rows = [_numbers(line, number) for number, line in enumerate(lines, start=1)]
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as lines of x,y,w,h: {error}") from None
    if not rows:
        raise DataError(f"{path} is empty; allowed are lines of 4 numbers, at least one")
    boxes = np.array(rows, np.float64)
    boxes[:, :2] -= first_pixel
    boxes[~(np.isfinite(boxes).all(1) & (boxes[:, 2:] > 0).all(1))] = np.nan
    return boxes


def _numbers(line: str, number: int) -> list[float]:
    numbers = [float(text) for text in _SEPARATORS.split(line.strip(" \t,;")) if text]
    if len(numbers) != 4:
        hint = " (polygons are not read)" if len(numbers) == 8 else ""
        raise ValueError(f"line {number} has {len(numbers)} numbers; allowed are 4 numbers{hint}")
    return numbers
