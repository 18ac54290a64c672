"""Masks: height x width arrays of the image's size, non-zero = target."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.types import Pixels


def binary(mask: NDArray[Any]) -> Pixels:
    """A copy with 255 where `mask` (height x width, any type) is not 0, else 0; NaN is not target."""
    return np.asarray((np.nan_to_num(mask) != 0) * np.uint8(255))
