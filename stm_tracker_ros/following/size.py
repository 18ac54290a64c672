"""How large the target is, from how large it looks: a Kalman filter on the logarithms of width and height.

The size walks at random, in a frame about as far as a look at the usual score is off: the one number of such a filter,
and nothing hangs on it (`training/size_filter.md`). A look of a lower score is off by more, and counts the more the
longer the last one is ago.

This is the size that is answered. The search region, and what is remembered, have a slower one (`size.rate`): where
they followed each look, an error of the network would change the next crop, and so feed on itself.
"""

from __future__ import annotations

import numpy as np

from stm_tracker_ros.core.types import Box


class Size:
    """Width and height of one target, in pixels."""

    def __init__(self, box: Box) -> None:
        """Of the box that named it."""
        self._sides, self._variance = np.array(box[2:]), 0.0

    @property
    def sides(self) -> tuple[float, float]:
        """As far as they are known."""
        width, height = self._sides.tolist()
        return width, height

    def update(self, found: Box, frames: float, share: float) -> None:
        """It looks like `found`, `frames` nominal frames after it was seen last; share: score over the usual one.

        Variances are over that of a look at the usual score, and of the logarithms.
        """
        self._variance += frames
        weight = self._variance * min(share, 1.0)  # of the look, over that of what is known
        gain = weight / (1 + weight)
        self._sides = self._sides * (np.array(found[2:]) / self._sides) ** gain
        self._variance *= 1 - gain
