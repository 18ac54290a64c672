"""How far around the expected place the target is looked for."""

from __future__ import annotations

import numpy as np

from stm_tracker_ros.following.config import FollowingConfig


def search_factor(config: FollowingConfig, unseen: int) -> float:
    """Side of the search region over the usual one, for a target that was not seen in so many nominal frames.

    It grows with time; or it grows a step a frame and begins anew, since what comes back near by is found most surely
    in the usual region.
    """
    search, presence = config.search, config.presence
    if search.growth:
        steps = 1 + int((search.largest - 1) / search.growth + 1e-6)
        return 1.0 + search.growth * (unseen % steps)
    waited = (unseen - presence.coast_frames) / max(presence.far_frames - presence.coast_frames, 1.0)
    return 1 + (search.largest - 1) * float(np.clip(waited, 0.0, 1.0))
