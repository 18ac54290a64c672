"""How many frames of the stream never reached us."""

from __future__ import annotations

from collections import deque

import numpy as np

from stm_tracker_ros.engine.drop_policy import JUMP_FORWARD_NS

MAX_RATE_HZ = 1000
NS_PER_S = 1_000_000_000


class LossCounter:
    """Counts gaps of the publisher's sequence number; without one, estimates from gaps of the stamps.

    A sequence number that falls, or rises faster than any camera, belongs to another publisher: nothing is counted.
    The estimate takes the 20th percentile of the last 30 steps between stamps for the camera's period, so that it
    holds while most frames arrive in pairs at least now and then; a clock that is set forward is no loss.
    """

    def __init__(self) -> None:
        self.total = 0
        self.estimated = False
        self._sequence: int | None = None
        self._stamp_ns: int | None = None
        self._arrival_ns = self._steady_ns = 0
        self._steps_ns: deque[int] = deque(maxlen=30)

    def add(self, sequence: int | None, stamp_ns: int, arrival_ns: int, steady_ns: int | None = None) -> int:
        """Count what was lost directly before this frame; gives the total.

        steady_ns: its arrival by a clock that nobody sets; by default `arrival_ns` is one.
        """
        steady_ns = arrival_ns if steady_ns is None else steady_ns
        estimate = self._by_stamp(stamp_ns, steady_ns)
        self.total += estimate if sequence is None else self._by_sequence(sequence, arrival_ns)
        self.estimated = sequence is None
        self._sequence, self._stamp_ns, self._arrival_ns, self._steady_ns = sequence, stamp_ns, arrival_ns, steady_ns
        return self.total

    def _by_sequence(self, sequence: int, arrival_ns: int) -> int:
        if self._sequence is None:
            return 0
        lost = sequence - self._sequence - 1
        possible = (arrival_ns - self._arrival_ns) * MAX_RATE_HZ // NS_PER_S + 1
        return lost if 0 < lost <= possible else 0

    def _by_stamp(self, stamp_ns: int, steady_ns: int) -> int:
        step = 0 if self._stamp_ns is None else stamp_ns - self._stamp_ns
        if step <= 0 or step - (steady_ns - self._steady_ns) > JUMP_FORWARD_NS:
            return 0
        self._steps_ns.append(step)
        period = float(np.percentile(self._steps_ns, 20))
        return max(0, round(step / period) - 1)
