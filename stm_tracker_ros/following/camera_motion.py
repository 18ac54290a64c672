"""How far the picture moved from one frame to the next because the camera did: phase correlation of small versions.

A translation only, which is most of what a pan, a tilt or a gust does from frame to frame. It is believed only if the
small versions differ less when laid over each other that way, the target's surroundings left out: what passes before
the target moves the camera least of all (Reddy and Chatterji, IEEE TIP 5(8), 1996; the check is ours).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.types import Box, Frame

Floats = NDArray[np.float32]

SIDE = 128  # of the small version, pixels
WIDEST = 1024  # of the part of the image that is looked at, about its centre, pixels
BETTER = 0.9  # as much less they must differ then than unmoved, to be believed
WINDOW = cv2.createHanningWindow((SIDE, SIDE), cv2.CV_32F)


class CameraMotion:
    """Motion of the picture since the frame before."""

    def __init__(self, frame: Frame) -> None:
        """`frame` is the first one."""
        self._reference = _small(frame, _part(frame))

    def to(self, frame: Frame, surroundings: Box) -> tuple[float, float]:
        """How far what stands still has moved in the image since the last call, x and y in pixels; 0, 0 if unclear.

        surroundings: where the target is, and what may pass before it. Less than half a pixel of the small version is
        left to add up: the frame is compared with the last that moved.
        """
        part = _part(frame)
        now = _small(frame, part)
        (x, y), _ = cv2.phaseCorrelate(self._reference.copy(), now.copy(), WINDOW)  # writes into its arguments
        right, down = round(x), round(y)
        if right == down == 0:
            return 0.0, 0.0
        before, self._reference = self._reference, now
        too_far = max(abs(right), abs(down)) > SIDE // 2  # the centroid of a peak in noise may lie anywhere
        if too_far or not _better(before, now, right, down, _counted(part, surroundings)):
            return 0.0, 0.0
        return x * part.width / SIDE, y * part.height / SIDE


def _part(frame: Frame) -> Box:
    """The part of the image that is looked at."""
    width, height = min(frame.width, WIDEST), min(frame.height, WIDEST)
    return Box((frame.width - width) // 2, (frame.height - height) // 2, width, height)


def _small(frame: Frame, part: Box) -> Floats:
    """That part in grey, SIDE x SIDE."""
    left, top, width, height = (int(value) for value in part)
    stride = max(1, min(width, height) // SIDE)
    pixels = frame.region(left, top, left + width, top + height)[::stride, ::stride]
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)


def _counted(part: Box, surroundings: Box) -> NDArray[np.uint8]:
    """Which pixels of the small version count: 1 outside of the surroundings, 0 in them."""
    low = (np.array(surroundings[:2]) - part[:2]) * SIDE / part[2:]
    high = low + np.array(surroundings[2:]) * SIDE / part[2:]
    left, top, right, bottom = (int(value) for value in np.clip(np.concatenate([low, high]), 0, SIDE))
    counted = np.ones((SIDE, SIDE), np.uint8)
    counted[top:bottom, left:right] = 0
    return counted


def _better(before: Floats, now: Floats, right: int, down: int, counted: NDArray[np.uint8]) -> bool:
    """Whether the two differ clearly less if `now` is `before` moved by that many pixels."""
    was = before[max(-down, 0) : SIDE - max(down, 0), max(-right, 0) : SIDE - max(right, 0)]
    part = slice(max(down, 0), SIDE - max(-down, 0)), slice(max(right, 0), SIDE - max(-right, 0))
    weights = counted[part]
    if not weights.any():  # the surroundings are all that is in both
        weights = np.ones_like(weights)
    moved = cv2.mean(cv2.absdiff(was, now[part]), weights)[0]
    unmoved = cv2.mean(cv2.absdiff(before[part], now[part]), weights)[0]
    return bool(moved < BETTER * unmoved)
