"""Which kept frames a target named late is followed through, so that it is where the camera is when time is up.

All times are those of arrival by the steady clock: what counts is how far the camera is ahead, whatever it stamps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeVar

from stm_tracker_ros.engine.history import Offered

MessageT = TypeVar("MessageT")
# Steps of at least two of 30 Hz, and of two costs: every tracker is used to such ones, and shorter ones would hardly
# come nearer to the camera, which goes on as well.
SHORTEST_STEP_NS = 66_666_667
STEP_COSTS = 2
FIRST_COST_NS = 33_000_000
COSTS = 5


class Cost:
    """What it costs to follow a target through a frame: the lower median of the last ones.

    The first frame of a tracker may take ten times as long as the others.
    """

    def __init__(self) -> None:
        self._costs_ns: deque[int] = deque([FIRST_COST_NS], maxlen=COSTS)

    @property
    def usual_ns(self) -> int:
        """Nanoseconds, at least 1."""
        return max(1, sorted(self._costs_ns)[(len(self._costs_ns) - 1) // 2])

    def add(self, cost_ns: int) -> None:
        """One more frame."""
        self._costs_ns.append(cost_ns)


def next_frame(
    at: Offered[MessageT],
    kept: Sequence[Offered[MessageT]],
    waiting: Offered[MessageT] | None,
    *,
    left_ns: int,
    cost_ns: int,
) -> Offered[MessageT] | None:
    """The frame to go on with behind `at`; None where the live one is next.

    kept: the frames behind `at`, the oldest first. waiting: the live frame, which is not gone through here.
    left_ns: what is left of the time. cost_ns: of it, of a frame.

    Steps are as short as lets them reach, in the time left, the image that the camera will have come to by then: the
    way to the newest one, and the time itself. They are all alike, and end where the live frame is no further than one.
    """
    behind = [frame for frame in kept if waiting is None or frame.position < waiting.position]
    if not behind or left_ns <= 0:
        return None
    lag_ns = (waiting or behind[-1]).received_ns - at.received_ns
    steps = left_ns // cost_ns + 1  # the last one is that to the live frame
    step_ns = max(SHORTEST_STEP_NS, STEP_COSTS * cost_ns, (lag_ns + left_ns) // steps)
    if waiting is not None and lag_ns <= step_ns:
        return None
    return min(behind, key=lambda frame: abs(frame.received_ns - at.received_ns - step_ns))
