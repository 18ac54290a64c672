from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core.types import Box, Frame, Result, Target
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.engine.drop_policy import DropReason
from stm_tracker_ros.evaluation.realtime import fly

pytestmark = pytest.mark.pure

BOX = Box(10, 10, 20, 20)
PERIOD_MS = 40


class SlowTracker:
    """Takes a set time for `track` and for `memorize`, on a clock of its own; the box tells the frame's number."""

    def __init__(self, track_ms: int, memorize_ms: int) -> None:
        self.now_ns, self.track_ms, self.memorize_ms = 0, track_ms, memorize_ms
        self.gaps: list[int] = []

    def init(self, frame: Frame, target: Target) -> Result:
        return Result(box=BOX, score=1.0)

    def track(self, frame: Frame) -> Result:
        self.now_ns += self.track_ms * 1_000_000
        self.gaps.append(frame.gap)
        return Result(box=Box(frame.stamp_ns // (PERIOD_MS * 1_000_000), 0, 1, 1), score=0.9)

    def memorize(self) -> None:
        self.now_ns += self.memorize_ms * 1_000_000

    def confirm(self, box: Box) -> None:
        pass

    def reconfigure(self, config: object) -> None:
        pass


def fly_slowly(track_ms, memorize_ms, count, max_age_ms=0.0):
    tracker = SlowTracker(track_ms, memorize_ms)
    image = np.zeros((40, 40, 3), np.uint8)
    stream = (Frame(image=image, stamp_ns=i * PERIOD_MS * 1_000_000) for i in range(count))
    run = fly(
        tracker,
        stream,
        Target(box=BOX),
        state_config=StateConfig(),
        max_age_ms=max_age_ms,
        clock_ns=lambda: tracker.now_ns,
    )
    return run, tracker.gaps


def test_a_tracker_within_the_period_loses_nothing():
    run, gaps = fly_slowly(20, 19, 6)
    assert [row.box.x for row in run.rows] == [BOX.x, 1, 2, 3, 4, 5]
    assert run.drops == {}
    assert gaps == [0] * 5
    assert run.latencies_ms == (20.0,) * 5
    assert run.busy_ms == (39.0,) * 5
    assert run.tracked == (1, 2, 3, 4, 5)


def test_a_slow_tracker_takes_the_newest_frame_and_the_others_hold_its_last_answer():
    run, gaps = fly_slowly(70, 25, 8)
    # Busy 40 to 135 with frame 1; 2 and 3 came at 80 and 120: 3 is taken, busy to 230; 4 and 5 at 160 and 200: 5 ...
    assert [row.box.x for row in run.rows] == [BOX.x, 1, 1, 3, 3, 5, 5, 7]
    assert [row.frame for row in run.rows] == list(range(8))
    assert [row.stamp_ns for row in run.rows] == [i * PERIOD_MS * 1_000_000 for i in range(8)]
    assert run.drops == {DropReason.SUPERSEDED: 3}
    assert gaps == [0, 1, 1, 1]
    assert run.tracked == (1, 3, 5, 7)
    assert run.latencies_ms == (70.0, 85.0, 100.0, 115.0)


def test_frames_that_waited_too_long_are_dropped_as_in_the_node():
    run, _ = fly_slowly(70, 25, 8, max_age_ms=20)
    assert run.drops[DropReason.TOO_OLD] > 0
    assert max(run.latencies_ms) <= 90
