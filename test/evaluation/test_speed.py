from __future__ import annotations

import numpy as np
import pytest
from scripted_tracker import ScriptedTracker

from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.evaluation.speed import median_ratio, percentiles, time_together

pytestmark = pytest.mark.pure


def test_percentiles_of_a_hundred_and_one_numbers_are_their_own_ranks():
    assert percentiles(range(101)) == {"p20": 20, "p50": 50, "p95": 95, "p99": 99}


def test_the_ratio_is_of_20th_percentiles_then_the_median_over_sequences():
    ours = {"a": [2.0] * 10, "b": [3.0] * 5 + [900.0] * 5, "c": [100.0] * 3}
    theirs = {"a": [1.0] * 10, "b": [2.0] * 5 + [1.0e6] * 5, "c": [1.0] * 3}
    assert median_ratio(ours, theirs) == 2.0


def test_two_trackers_take_turns_on_the_same_frames():
    order: list[str] = []

    class Named(ScriptedTracker):
        def __init__(self, name):
            super().__init__([(Box(1, 1, 5, 5), 0.5)])
            self.name = name

        def track(self, frame):
            order.append(self.name)
            return super().track(frame)

    first, second = Named("first"), Named("second")
    images = [Frame(image=np.zeros((9, 9, 3), np.uint8), stamp_ns=i) for i in range(4)]
    for tracker in (first, second):
        tracker.init(images[0], Target(box=Box(1, 1, 5, 5)))
    times = time_together(first, second, images[1:])
    assert order == ["first", "second", "second", "first", "first", "second"]
    assert [len(t) for t in times] == [3, 3]
    assert first.memorized == second.memorized == [1, 2, 3]
