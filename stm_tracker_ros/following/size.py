"""How large the target is, from how large it looks: a Kalman filter on the logarithms of width and height.

The size walks at random from frame to frame. A look is believed as far as it scores, against what is usual, and the
more the longer the last one is ago; a look that jumps beyond what is likely counts as one at the edge of it.
Walk and noise are those of training video: `evaluate --one-step` measures the noise (`training/size_noise.md`).
"""

from __future__ import annotations

import numpy as np

from stm_tracker_ros.core.types import Box
from stm_tracker_ros.following.config import SizeConfig

WALK = 0.0015  # variance that a nominal frame adds, of a logarithm
NOISE, NOISE_POWER = 0.002, 3  # variance of a look at the usual score; it grows as the share falls, to this power
LIKELY = 2.5  # standard deviations


class Size:
    """What is known of the size of one target."""

    def __init__(self) -> None:
        """It was just told."""
        self._variance = 0.0  # of its logarithms

    def update(
        self, config: SizeConfig, before: Box, found: Box, frames: int, share: float, confidence: float
    ) -> tuple[float, float]:
        """It was `before`, and looks like `found`, `frames` nominal frames after it was seen last.

        share: score over the usual one; confidence: score times penalty in [0, 1], by which a fixed rate falls. Returns
        width and height.
        """
        if config.rate:
            rate = config.rate * confidence
            return (1 - rate) * before.width + rate * found.width, (1 - rate) * before.height + rate * found.height
        self._variance += WALK * frames
        weight = self._variance / NOISE * min(share, 1.0) ** NOISE_POWER  # of the look, over that of what is known
        gain = weight / (1 + weight)
        likely = LIKELY * np.sqrt(self._variance / gain) if gain else np.inf
        innovation = np.clip(np.log(found[2:]) - np.log(before[2:]), -likely, likely)
        self._variance *= 1 - gain
        width, height = np.array(before[2:]) * np.exp(gain * innovation)
        return float(width), float(height)
