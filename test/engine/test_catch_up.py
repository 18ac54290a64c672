"""Which frames a target named late is followed through: order, stride, time."""

from __future__ import annotations

import pytest
from engine_bench import MS, offered

from stm_tracker_ros.engine.catch_up import FIRST_COST_NS, Cost, next_frame

pytestmark = pytest.mark.pure

CAMERA_NS = 33_333_333


def frame(position):
    return offered(position * CAMERA_NS, position)


def gone_through(lag, *, budget_ms, cost_ms, camera_stops=False):
    """Places gone through by a target named `lag` frames ago, and the place of the live frame at the end."""
    at, now_ns, end_ns, places = frame(0), lag * CAMERA_NS, lag * CAMERA_NS + budget_ms * MS, []
    while True:
        newest = lag if camera_stops else now_ns // CAMERA_NS
        kept = [frame(n) for n in range(at.position + 1, newest + 1)]
        waiting = None if camera_stops else frame(newest)
        found = next_frame(at, kept, waiting, left_ns=end_ns - now_ns, cost_ns=cost_ms * MS)
        if found is None:
            return places, newest
        at, now_ns = found, now_ns + cost_ms * MS
        places.append(found.position)


@pytest.mark.parametrize("lag", [3, 6, 15, 30, 54])
@pytest.mark.parametrize("cost_ms", [5, 20, 35])
def test_it_ends_in_time_one_step_before_a_live_frame(lag, cost_ms):
    places, live = gone_through(lag, budget_ms=500, cost_ms=cost_ms)
    steps = [b - a for a, b in zip([0, *places], [*places, live], strict=True)]
    assert min(steps) >= 1
    assert len(places) * cost_ms <= 500 + cost_ms
    assert live >= lag, "the camera goes on meanwhile"
    assert max(steps) - min(steps) <= 3, "all steps are alike but for what the camera allows, and the last"
    assert max(steps[:-1]) <= max(3, 1 + (lag + 15) * cost_ms / (500 - cost_ms))


def test_a_fast_tracker_takes_the_shortest_steps_and_no_shorter():
    places, live = gone_through(54, budget_ms=500, cost_ms=5)
    assert set(b - a for a, b in zip([0, *places], places, strict=False)) == {2}
    assert live - places[-1] <= 2


def test_steps_are_at_least_two_costs_for_the_camera_goes_on_as_well():
    places, live = gone_through(12, budget_ms=9000, cost_ms=100)
    assert (places, live) == ([6, 12], 18)


def test_a_slow_tracker_takes_one_long_step():
    places, live = gone_through(54, budget_ms=500, cost_ms=400)
    assert len(places) <= 1
    assert live - ([0, *places])[-1] <= 69


def test_a_camera_that_has_stopped_is_followed_to_its_last_image():
    places, _ = gone_through(10, budget_ms=500, cost_ms=35, camera_stops=True)
    assert places[-1] == 10
    assert places == sorted(set(places))


def test_without_time_nothing_is_gone_through():
    assert gone_through(30, budget_ms=0, cost_ms=35)[0] == []


def test_a_live_frame_is_never_gone_through_nor_one_behind_it():
    kept = [frame(n) for n in range(1, 10)]
    for waiting in kept:
        found = next_frame(frame(0), kept, waiting, left_ns=10**9, cost_ns=MS)
        assert found is None or found.position < waiting.position


def test_the_next_frame_is_at_least_one_further_however_slow_the_camera():
    slow = [offered(n * 500 * MS, n) for n in range(3)]
    assert next_frame(slow[0], slow[1:], None, left_ns=10**9, cost_ns=MS) is slow[1]
    assert next_frame(slow[0], [], slow[1], left_ns=10**9, cost_ns=MS) is None


def test_the_cost_is_the_usual_one_and_not_that_of_a_first_frame():
    cost = Cost()
    assert cost.usual_ns == FIRST_COST_NS
    cost.add(900 * MS)
    assert cost.usual_ns == FIRST_COST_NS
    for _ in range(3):
        cost.add(10 * MS)
    assert cost.usual_ns == 10 * MS
    for _ in range(5):
        cost.add(0)
    assert cost.usual_ns == 1
