"""Numbers of a target's frames, by their time: one a nominal frame period (30 a second), the first frame's is 1."""

from __future__ import annotations

from math import floor, inf, nextafter

from stm_tracker_ros.core.matching import NOMINAL_PERIOD_NS

WHOLE = 0.9  # of a nominal period: what has passed since the last frame and is taken for a whole one


def nominal_number(since_first_ns: int) -> int:
    """Number of a frame, by its time since the target's first one."""
    return 1 + round(since_first_ns / NOMINAL_PERIOD_NS)


class Numbering:
    """Rising numbers, whole unless clearly less than a nominal period has passed.

    So 30 images a second are counted one by one, 60 by halves. Time that stands still or goes back goes on from there.
    """

    def __init__(self, stamp_ns: int) -> None:
        """Of the first frame."""
        self._first_ns = self._stamp_ns = stamp_ns
        self.last = 1.0

    def of(self, stamp_ns: int) -> float:
        """The number of the next frame."""
        passed = (stamp_ns - self._stamp_ns) / NOMINAL_PERIOD_NS
        if passed <= 0:
            self._first_ns, passed = stamp_ns - round(self.last * NOMINAL_PERIOD_NS), 1.0
        self._stamp_ns, since_ns = stamp_ns, stamp_ns - self._first_ns
        if passed < WHOLE:
            self.last = max(1 + since_ns / NOMINAL_PERIOD_NS, nextafter(self.last, inf))
        else:
            self.last = max(nominal_number(since_ns), floor(self.last) + 1.0)
        if self.last - 1 - since_ns / NOMINAL_PERIOD_NS > 1:  # a camera of a little more than 30 Hz has run ahead
            self._first_ns = stamp_ns - round((self.last - 1) * NOMINAL_PERIOD_NS)
        return self.last
