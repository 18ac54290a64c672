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
ALIKE = 0.6  # correlation of two small versions of one scene at least
GRAIN, CONTRAST = 4, 3.0  # blurred by so many pixels, what varies by fewer grey levels may be noise
WINDOW = cv2.createHanningWindow((SIDE, SIDE), cv2.CV_32F)


class CameraMotion:
    """Motion of the picture since the frame before, and since one that is kept."""

    def __init__(self, frame: Frame) -> None:
        """`frame` is the first one, and kept."""
        self._reference = self._last = self._kept = self._now = _small(frame, _part(frame))

    def to(self, frame: Frame, surroundings: Box) -> tuple[float, float] | None:
        """How far what stands still has moved in the image since the last call, x and y in pixels; 0, 0 if unclear.

        None where this is another picture: a cut. surroundings: where the target is, and what may pass before it. Less
        than half a pixel of the small version is left to add up: the frame is compared with the last that moved, and
        what is unclear is left behind: found later, all at once, it would be one leap.
        """
        part = _part(frame)
        self._now = now = _small(frame, part)
        counted = _counted(part, surroundings)
        x, y, likeness, is_still = _moved(self._reference, now, counted)
        is_other = likeness is not None and likeness < ALIKE
        if is_other and self._last is not self._reference:  # it may have changed bit by bit
            x, y, likeness, is_still = _moved(self._last, now, counted)
            is_other, self._reference = likeness is not None and likeness < ALIKE, now
        if likeness is not None:
            self._last = now
            if is_other or not is_still:
                self._reference = now
        return None if is_other else (x * part.width / SIDE, y * part.height / SIDE)

    def keep(self) -> None:
        """Keep the picture of the last frame that shows something."""
        self._kept = self._last

    def since_kept(self, frame: Frame, surroundings: Box) -> tuple[float, float] | None:
        """Motion from the kept picture to this one; None where it is another one, or nothing is to be seen.

        frame: that of the last `to`. surroundings: where the target was in the kept one, which need not be alike.
        """
        part = _part(frame)
        counted = _counted(part, surroundings)
        x, y, likeness, _ = _moved(self._kept, self._now, counted, small_things=True)
        if likeness is None or likeness < ALIKE:
            return None
        return x * part.width / SIDE, y * part.height / SIDE


def _moved(
    before: Floats, now: Floats, counted: NDArray[np.uint8], *, small_things: bool = False
) -> tuple[float, float, float | None, bool]:
    """Motion to the right and down in pixels of the small versions, 0 if unclear; how alike they are laid so; is it 0?

    small_things: what is light and dark at large does not count: sky above and field below are anywhere.
    """
    (x, y), _ = cv2.phaseCorrelate(before.copy(), now.copy(), WINDOW)  # writes into its arguments
    right, down = round(x), round(y)
    is_still = right == down == 0
    too_far = max(abs(right), abs(down)) > SIDE // 2  # the centroid of a peak in noise may lie anywhere
    if too_far or is_still or not _better(before, now, right, down, counted):
        x, y, right, down = 0.0, 0.0, 0, 0
    was, part = _common(before, right, down)
    weights = _weights(counted[part])
    smooth = [cv2.blur(picture, (GRAIN, GRAIN)) for picture in (was, now[part])]
    if min(cv2.meanStdDev(picture, mask=weights)[1].item() for picture in smooth) < CONTRAST:
        return 0.0, 0.0, None, is_still  # in one of the two is nothing but noise
    if small_things:
        smooth = [cv2.subtract(picture, cv2.blur(picture, (GRAIN**2, GRAIN**2))) for picture in smooth]
    inside = weights > 0
    return x, y, _correlation(*(np.asarray(picture[inside], np.float32) for picture in smooth)), is_still


def _correlation(first: Floats, second: Floats) -> float:
    """Pearson's coefficient of as many values, in a third of the time of `np.corrcoef`."""
    first, second = first - first.mean(), second - second.mean()
    return float(first @ second / np.sqrt((first @ first) * (second @ second)))


def _part(frame: Frame) -> Box:
    """The part of the image that is looked at."""
    width, height = min(frame.width, WIDEST), min(frame.height, WIDEST)
    return Box((frame.width - width) // 2, (frame.height - height) // 2, width, height)


def _small(frame: Frame, part: Box) -> Floats:
    """That part in grey, SIDE x SIDE."""
    left, top, width, height = (int(value) for value in part)
    stride = max(1, min(width, height) // (2 * SIDE))  # the rest is averaged: fine things would be others in each frame
    rows = frame.region(left, top, left + width, top + height)[::stride]
    grey = np.ascontiguousarray(cv2.cvtColor(rows, cv2.COLOR_BGR2GRAY)[:, ::stride])
    return np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)


def _counted(part: Box, surroundings: Box) -> NDArray[np.uint8]:
    """Which pixels of the small version count: 1 outside of the surroundings, 0 in them."""
    low = (surroundings.x - part.x) * SIDE / part.width, (surroundings.y - part.y) * SIDE / part.height
    high = low[0] + surroundings.width * SIDE / part.width, low[1] + surroundings.height * SIDE / part.height
    left, top, right, bottom = (int(min(max(end, 0), SIDE)) for end in (*low, *high))
    counted = np.ones((SIDE, SIDE), np.uint8)
    counted[top:bottom, left:right] = 0
    return counted


def _better(before: Floats, now: Floats, right: int, down: int, counted: NDArray[np.uint8]) -> bool:
    """Whether the two differ clearly less if `now` is `before` moved by that many pixels."""
    was, part = _common(before, right, down)
    weights = _weights(counted[part])
    moved = cv2.mean(cv2.absdiff(was, now[part]), weights)[0]
    unmoved = cv2.mean(cv2.absdiff(before[part], now[part]), weights)[0]
    return bool(moved < BETTER * unmoved)


def _weights(counted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What counts of that part; all of it where the surroundings are all that there is."""
    return counted if counted.any() else np.ones_like(counted)


def _common(before: Floats, right: int, down: int) -> tuple[Floats, tuple[slice, slice]]:
    """What of `before` is in the picture still, and where."""
    was = before[max(-down, 0) : SIDE - max(down, 0), max(-right, 0) : SIDE - max(right, 0)]
    return was, (slice(max(down, 0), SIDE - max(-down, 0)), slice(max(right, 0), SIDE - max(-right, 0)))
