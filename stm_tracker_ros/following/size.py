"""How large the target is, from how large it looks: a Kalman filter on the logarithms of width and height.

The size walks at random from frame to frame. A look is believed as far as it scores, against what is usual, and the
more the longer the last one is ago; a look that jumps beyond what is likely counts as one at the edge of it.

This is the size that is answered. The search region, and what is remembered, have a slower one (`size.rate`): where
they followed each look, an error of the network would change the next crop, and so feed on itself.
"""

from __future__ import annotations

import numpy as np

from stm_tracker_ros.core.types import Box

WALK = 0.002  # variance that a nominal frame adds, of a logarithm
NOISE, NOISE_POWER = 0.002, 4  # variance of a look at the usual score; it grows as the share falls, to this power
LIKELY = 2.5  # standard deviations


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

    def update(self, found: Box, frames: int, share: float) -> None:
        """It looks like `found`, `frames` nominal frames after it was seen last; share: score over the usual one."""
        self._variance += WALK * frames
        weight = self._variance / NOISE * min(share, 1.0) ** NOISE_POWER  # of the look, over that of what is known
        gain = weight / (1 + weight)
        likely = LIKELY * np.sqrt(self._variance / gain) if gain else np.inf
        innovation = np.clip(np.log(np.array(found[2:]) / self._sides), -likely, likely)
        self._sides = self._sides * np.exp(gain * innovation)
        self._variance *= 1 - gain
