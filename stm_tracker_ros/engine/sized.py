"""A tracker sees images of one size: those of another are scaled to it, and its answers back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from stm_tracker_ros.core.protocol import Tracker
from stm_tracker_ros.core.types import Box, Candidate, Frame, Result, RotatedBox, Target

SAME_ASPECT = 0.01  # largest difference of the two scales, over the larger one


class SizedTracker:
    """Follows a target through a change of the image's size, wherever width and height change alike.

    Where they do not, nothing says where the target is: the answer is the last one, not found, with its `trouble`.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._size = (0, 0)
        self._scale = (1.0, 1.0)
        self._last: Result | None = None

    def init(self, frame: Frame, target: Target) -> Result:
        """As `Tracker.init`; the frame's size is the one that the tracker sees from now on."""
        self._last = self._tracker.init(frame, target)
        self._size, self._scale = (frame.width, frame.height), (1.0, 1.0)
        return self._last

    def track(self, frame: Frame) -> Result:
        """As `Tracker.track`, for a frame of any size."""
        if self._last is None or self._size == (frame.width, frame.height):
            self._last, self._scale = self._tracker.track(frame), (1.0, 1.0)
            return self._last
        x, y = frame.width / self._size[0], frame.height / self._size[1]
        if abs(x - y) > SAME_ASPECT * max(x, y):
            return self._impossible(self._last, frame)
        how = cv2.INTER_AREA if x > 1 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(frame.bgr(), self._size, interpolation=how), np.uint8)
        self._last, self._scale = self._tracker.track(replace(frame, image=image)), (x, y)
        return _scaled(self._last, x, y, frame)

    def memorize(self) -> None:
        """As `Tracker.memorize`."""
        self._tracker.memorize()

    def confirm(self, box: Box) -> None:
        """As `Tracker.confirm`; a frame of another aspect was not answered, the one before it counts."""
        x, y = self._scale
        self._tracker.confirm(Box(box.x / x, box.y / y, box.width / x, box.height / y))

    def reconfigure(self, config: Any) -> None:
        """As `Tracker.reconfigure`."""
        self._tracker.reconfigure(config)

    def _impossible(self, last: Result, frame: Frame) -> Result:
        (width, height), mask = self._size, last.mask
        return Result(
            box=last.box,
            score=0.0,
            mask=None if mask is None else np.zeros((frame.height, frame.width), np.uint8),
            found=False,
            trouble=f"the image is {frame.width} x {frame.height} px now, the target was named on one of {width} x "
            f"{height} px; allowed is another size of the same aspect: name the target again",
        )


def _scaled(result: Result, x: float, y: float, frame: Frame) -> Result:
    def scaled(one: Box) -> Box:
        return Box(one.x * x, one.y * y, one.width * x, one.height * y)

    def box(one: Box | None) -> Box | None:
        return None if one is None else scaled(one)

    mask, turned, lead = result.mask, result.rotated, result.lead
    if mask is not None:
        size = frame.width, frame.height
        mask = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    if turned is not None:
        # Both scales are the same but for rounding: the angle stays.
        turned = RotatedBox(turned[0] * x, turned[1] * y, turned[2] * x, turned[3] * y, turned.theta)
    return replace(
        result,
        box=scaled(result.box),
        mask=mask,
        rotated=turned,
        expected=box(result.expected),
        region=box(result.region),
        candidates=tuple(Candidate(scaled(one.box), one.score) for one in result.candidates),
        lead=None if lead is None else lead._replace(box=scaled(lead.box)),
    )
