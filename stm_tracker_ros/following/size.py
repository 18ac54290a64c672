"""How large the target is, from how large it looks."""

from __future__ import annotations

import numpy as np

from stm_tracker_ros.core.types import Box
from stm_tracker_ros.following.config import SizeConfig


def followed_size(config: SizeConfig, before: Box, found: Box, confidence: float) -> tuple[float, float]:
    """Width and height of the target that was `before` and looks like `found` now.

    confidence: score times penalty of what was found, in [0, 1].
    """
    rate = confidence * config.rate if config.by_score else config.rate
    limit = config.largest_change
    old, new = np.array(before[2:]), np.array(found[2:])
    width, height = np.clip((1 - rate) * old + rate * new, old / limit, old * limit)
    return float(width), float(height)
