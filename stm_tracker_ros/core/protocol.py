"""The one thing that engine, evaluation and node know of a tracker."""

from __future__ import annotations

from typing import Any, Protocol

from stm_tracker_ros.core.types import Frame, Result, Target


class Tracker(Protocol):
    """Follows one target. Not thread-safe: whoever owns it calls it from one thread."""

    def init(self, frame: Frame, target: Target) -> Result:
        """Start anew on this frame, forgetting everything before. Raises TargetError, FrameError."""

    def track(self, frame: Frame) -> Result:
        """Find the target in the next frame. Raises NotInitialisedError, FrameError."""

    def memorize(self) -> None:
        """Learn from the frame just answered, after the answer is out; does nothing if there is none to learn."""

    def reconfigure(self, config: Any) -> None:
        """Use the live settings of `config`, one of this tracker's configurations, from the next frame on.

        The target is kept. Settings that are not live are read when the tracker is made, and are left as they are.
        """
