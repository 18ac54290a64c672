"""Whether something that looks like the target stood beside it: what is found after a jump may be that.

A network hardly sees what stands at the border of its look, and a target that is seen well is to cost one look. So the
last picture in which it was is kept, and looked through all around it once the question comes up, a look a frame. Until
that is done nobody knows, and what has been found is believed no more than if there were one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.boxes import centers, from_center
from stm_tracker_ros.core.types import Box, Frame
from stm_tracker_ros.following.presence import ORDINARY
from stm_tracker_ros.following.whereabouts import outside

Floats = NDArray[np.float64]

FORGOTTEN_FRAMES = 300  # after which what may have been mistaken for the target is believed to be it again
DOUBT = (
    "what is followed may be another one: something that looks like the target stood beside it before; name the target "
    "anew (set_target) to say which it is"
)


class Lookalikes:
    """What is known of those of one target. frame, place: when and where it was seen well last."""

    def __init__(self, frame: Frame, place: Box, side: float) -> None:
        """The target is seen well at `place`; side: of the usual region, pixels."""
        self._mistaken = -math.inf  # number of the frame in which another one may have been found for the target
        self._show(frame, place, side)

    def _show(self, frame: Frame, place: Box, side: float) -> None:
        self.frame, self.place, self._side = frame, place, side
        self._ahead: list[Box] | None = None  # where to look in it; None: it has not been looked at
        self._found = self._is_asked = False

    def keep(self, frame: Frame, place: Box, side: float) -> None:
        """The target is seen well again. A picture that is still to be looked through stays."""
        if not self.is_wanted:
            self._show(frame, place, side)

    @property
    def is_wanted(self) -> bool:
        """Whether the picture is to be looked through because it must be known."""
        return self._is_asked and self._ahead != []

    def next(self, looks: int) -> list[Box]:
        """Where to look in `frame` next, so many times at most; nowhere once all has been looked through."""
        ahead = self._around() if self._ahead is None else self._ahead
        self._ahead = ahead[looks:]
        return ahead[:looks]

    def beside(self, boxes: Floats) -> NDArray[np.bool_]:
        """Which of N x 4 boxes in `frame`, pixels, are not the target's: neither has the other's middle in it."""
        middle, there = np.array([self.place.center]), np.array([self.place])
        return np.asarray(~(_holds(boxes, middle) | _holds(there, centers(boxes))))

    def found(self) -> None:
        """There is one."""
        self._found = True

    def mind(self, number: float, *, is_apart: bool) -> None:
        """In the frame of that number the target was found; is_apart: not where it was expected."""
        may_be = self._found or self._ahead != []
        if is_apart and may_be:
            self._mistaken, self._is_asked = number, True
        elif self._is_asked and not may_be:
            self.dismiss()

    def dismiss(self) -> None:
        """What is followed is the target."""
        self._mistaken, self._is_asked = -math.inf, False

    def trust(self, number: float) -> float:
        """How likely it is by that frame that the target is followed, and none that looks like it."""
        return 1 / (1 + ORDINARY * math.exp((self._mistaken - number) / FORGOTTEN_FRAMES))

    def doubt(self, number: float) -> str:
        """Why what is followed may not be the target, in the frame of that number; empty where nothing says so."""
        return DOUBT if not self.is_wanted and number - self._mistaken < FORGOTTEN_FRAMES else ""

    def _around(self) -> list[Box]:
        """The target's box moved to the border of the usual region and its corners, as far as that is in the image."""
        x, y = self.place.center
        steps = (-self._side / 2, 0, self._side / 2)
        moved = [from_center(x + right, y + down, *self.place[2:]) for right in steps for down in steps]
        return [box for box in moved if box.center != (x, y) and not outside(box, self.frame)]


def _holds(boxes: Floats, points: Floats) -> NDArray[np.bool_]:
    """Which boxes have the point in them, of one and many, or of as many."""
    return np.asarray(((points > boxes[:, :2]) & (points < boxes[:, :2] + boxes[:, 2:])).all(1))
