"""Pixels without a fixed white (16 bits, floats) to grey levels: thermal cameras use a few hundred of 65 536 values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.types import Pixels

Limits = tuple[float, float]

# A 99 % stretch needs no more than some thousand pixels of the image.
_SAMPLES_PER_SIDE = 96
_TIME_CONSTANT_S = 2.0
# Old limits that cut off more of a picture than this, or leave it fewer grey levels, are given up at once: the camera
# has changed its gain, or looks at another scene.
_MOST_OUTSIDE = 0.5
_FEWEST_LEVELS = 16


class Stretch:
    """The limits of one stream: 1st and 99th percentile, following slowly, lest a warm object make the picture flicker.

    They move with the images' stamps (time constant 2 s); an image that is not newer than the last moves nothing.
    """

    def __init__(self) -> None:
        self._limits: Limits | None = None
        self._stamp_ns = 0

    def limits(self, raw: NDArray[Any], stamp_ns: int) -> Limits:
        """Low and high value for this image (height x width [x channels], one pair for all channels)."""
        if self._limits is not None and stamp_ns <= self._stamp_ns:
            return self._limits
        sample = finite_sample(raw)
        if sample.size:
            low, high = (float(value) for value in np.percentile(sample, (1, 99)))
            self._limits = self._followed(low, high, sample, stamp_ns)
            self._stamp_ns = stamp_ns
        return self._limits or (0.0, 0.0)

    def _followed(self, low: float, high: float, sample: NDArray[Any], stamp_ns: int) -> Limits:
        if self._limits is None:
            return low, high
        old_low, old_high = self._limits
        outside = np.mean((sample < old_low) | (sample > old_high))
        if outside > _MOST_OUTSIDE or (high - low) * 256 < (old_high - old_low) * _FEWEST_LEVELS:
            return low, high
        share = 1 - float(np.exp((self._stamp_ns - stamp_ns) / (_TIME_CONSTANT_S * 1e9)))
        return old_low + (low - old_low) * share, old_high + (high - old_high) * share


def spread(raw: NDArray[Any], limits: Limits) -> Pixels:
    """`raw` as uint8 of the same shape: limits[0] becomes 0, limits[1] 255; NaN and inf 0; all 0 for equal limits."""
    low, high = limits
    if not high > low:
        return np.zeros(raw.shape, np.uint8)
    # float32 ends at 3e38 and tells only 24 bits apart: differences of such numbers are taken in float64.
    exact = np.float64 if raw.dtype.kind == "f" or raw.dtype.itemsize > 2 else np.float32
    levels = (np.clip(raw.astype(exact), low, high) - low) / (high - low) * 255
    return np.rint(np.where(np.isfinite(raw), levels, 0)).astype(np.uint8)


def finite_sample(raw: NDArray[Any]) -> NDArray[np.float64]:
    """Some thousand of an image's values, those that are finite, in one row."""
    rows, columns = (max(1, side // _SAMPLES_PER_SIDE) for side in raw.shape[:2])
    sample = raw[::rows, ::columns].astype(np.float64)
    return sample[np.isfinite(sample)]
