"""What is known before looking: the target has moved little (window) and changed size little (penalty).

The formulas of SiamRPN (Li et al., CVPR 2018, section 4.3) and its followers; STMTrack inherits them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NOTHING = np.finfo(np.float64).eps  # what a side of nothing counts as


@lru_cache
def hann_window(rows: int, columns: int, anchors: int = 1) -> Floats:
    """Outer product of two Hann windows, flattened row-major, each value for every anchor."""
    return np.outer(np.hanning(rows), np.hanning(columns)).ravel().repeat(anchors)


def size_penalty(sizes: Floats, previous: tuple[float, float], strength: float) -> Floats:
    """exp(-(change of size * change of aspect - 1) * strength), 1 where neither changes.

    sizes: N x 2, width and height of the candidates; previous: those of the last answer in the same unit.
    """
    width, height = np.maximum(sizes, NOTHING).T
    was_wide, was_high = np.maximum(previous, NOTHING)
    size_change = _ratio(_extent(width, height) / _extent(was_wide, was_high))
    aspect_change = _ratio((was_wide / was_high) / (width / height))
    return np.asarray(np.exp(-(size_change * aspect_change - 1.0) * strength))


def _extent(width: Floats, height: Floats) -> Floats:
    """Side of the box with half its perimeter as context around it."""
    context = (width + height) / 2
    return np.asarray(np.sqrt((width + context) * (height + context)))


def _ratio(value: Floats) -> Floats:
    return np.maximum(value, 1.0 / value)
