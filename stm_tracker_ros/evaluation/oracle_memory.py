"""What would better labels bring? A tracker whose memory is written with the true boxes, while it answers as ever."""

from __future__ import annotations

from typing import Any

import numpy as np

from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.core.matching import Floats
from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Box, Frame, Result, Target
from stm_tracker_ros.following.follower import Follower


class OracleMemory:
    """A Tracker; for one sequence. When and whether a frame is remembered is decided as ever."""

    def __init__(self, follower: Follower, boxes: Floats) -> None:
        """boxes: the true ones, frames x 4 in image pixels; NaN rows = target absent: such frames teach nothing."""
        self._follower, self._boxes, self._index = follower, boxes, 0

    @classmethod
    def around(cls, tracker: Tracker, boxes: Floats) -> OracleMemory:
        """Raises ConfigError for a tracker that is not followed with by the following stage."""
        if not isinstance(tracker, Follower):
            raise ConfigError("--oracle-memory writes the memory of a matcher; allowed are trackers that have one")
        return cls(tracker, boxes)

    def init(self, frame: Frame, target: Target) -> Result:
        """As `Tracker.init`, on the first frame of the sequence."""
        self._index = 0
        return self._follower.init(frame, target)

    def track(self, frame: Frame) -> Result:
        """As `Tracker.track`."""
        self._index += 1 + frame.gap
        return self._follower.track(frame)

    def memorize(self) -> None:
        """As `Tracker.memorize`, with the true box."""
        true = self._boxes[self._index]
        if np.isfinite(true).all():
            self._follower.memorize(Box(*true.tolist()))

    def confirm(self, box: Box) -> None:
        """As `Tracker.confirm`."""
        self._follower.confirm(box)

    def reconfigure(self, config: Any) -> None:
        """As `Tracker.reconfigure`."""
        self._follower.reconfigure(config)
