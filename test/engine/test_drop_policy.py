from __future__ import annotations

import pytest

from stm_tracker_ros.engine.drop_policy import LATE_FRAMES, DropPolicy, DropReason, Jump, Reset, Skip, Track

pytestmark = pytest.mark.pure

MS = 1_000_000
S = 1_000_000_000
HOUR_MS = 3_600_000
OLD, ORDER, TWICE = (Skip(reason) for reason in (DropReason.TOO_OLD, DropReason.OUT_OF_ORDER, DropReason.DUPLICATE))


def verdicts(rows, max_age_ms=0.0):
    """Rows of (stamp, arrival, now) in ms; arrival and now are the stamp where they are missing."""
    policy = DropPolicy(max_age_ms)
    full = [(row + row[-1:] * 2)[:3] for row in rows]
    return [policy.decide(stamp_ns=s * MS, arrival_ns=a * MS, now_ns=n * MS) for s, a, n in full]


@pytest.mark.parametrize(
    ("rows", "last"),
    [
        pytest.param([(0,), (33,), (66,)], Track(), id="in order"),
        pytest.param([(33,), (33, 40)], TWICE, id="duplicate"),
        pytest.param([(33,), (66,), (40, 70)], ORDER, id="out of order"),
        pytest.param([(33,), (66,), (40, 70), (99,)], Track(), id="in order again"),
        pytest.param([(5000,), (5033,), (100, 5066)], Reset(Jump.BACK), id="bag loops"),
        pytest.param([(5000,), (5033,), (100, 5066), (133, 5099)], Track(), id="after the loop"),
        pytest.param([(100,), (HOUR_MS, 133)], Reset(Jump.FORWARD), id="clock set"),
        pytest.param([(100,), (HOUR_MS,)], Track(), id="camera silent for an hour"),
        pytest.param([(100,), (9000, 133)], Track(), id="transport catches up"),
    ],
)
def test_order_and_jumps(rows, last):
    assert verdicts(rows)[-1] == last


@pytest.mark.parametrize("leap_ms", [20_000, 1_700_000_000_000])
def test_a_clock_that_camera_and_node_share_is_set_forward(leap_ms):
    """Stamp and arrival leap together: the steady clock alone knows that no time has passed."""
    policy, found = DropPolicy(), []
    for steady_ms in range(0, 165, 33):
        ms = steady_ms + (leap_ms if steady_ms >= 99 else 0)
        stamp_ns = ms * MS
        found.append(policy.decide(stamp_ns=stamp_ns, arrival_ns=stamp_ns, now_ns=stamp_ns, steady_ns=steady_ms * MS))
    assert found == [Track(), Track(), Track(), Reset(Jump.FORWARD), Track()]


@pytest.mark.parametrize("step_ms", [300, 900, 1100, -300])
def test_a_step_of_the_nodes_clock_drops_nothing_for_long(step_ms):
    policy, dropped = DropPolicy(100.0), 0
    for number in range(100):
        steady_ns, step_ns = number * 33 * MS, step_ms * MS * (number >= 50)
        now_ns = steady_ns + step_ns
        dropped += policy.decide(stamp_ns=steady_ns, arrival_ns=now_ns, now_ns=now_ns, steady_ns=steady_ns) != Track()
    assert dropped == 0


def test_a_loop_shorter_than_a_second_is_a_jump_after_some_frames():
    once = [(900 + 30 * n,) for n in range(10)]
    again = [(900 + 30 * n, 1200 + 30 * n) for n in range(8)]
    assert verdicts(once + again)[10:] == [ORDER] * (LATE_FRAMES - 1) + [Reset(Jump.BACK)] + [Track()] * 3


def test_age_is_off_by_default():
    assert verdicts([(0, 0, 0), (33, 33, 10**6)]) == [Track()] * 2


@pytest.mark.parametrize("offset_ms", [0, 7, 500_000, -500_000])
def test_age_is_judged_against_the_fastest_frame_so_that_an_offset_of_the_clocks_drops_nothing(offset_ms):
    rows = [(0, 0, 0), (33, 33, 33), (66, 96, 96), (99, 229, 229), (132, 132, 200), (165, 165, 165)]
    shifted = [(stamp, arrival + offset_ms, now + offset_ms) for stamp, arrival, now in rows]
    assert verdicts(shifted, max_age_ms=50) == [Track(), Track(), Track(), OLD, OLD, Track()]


def test_a_jump_forgets_the_old_offset():
    """The camera's clock is set back by an hour: arrival - stamp grows, and nothing is too old."""
    before = [(HOUR_MS + 33 * n,) for n in range(5)]
    after = [(33 * n, HOUR_MS + 33 * (5 + n)) for n in range(3)]
    assert verdicts(before + after, max_age_ms=50)[5:] == [Reset(Jump.BACK), Track(), Track()]


def test_the_offset_is_reported():
    policy = DropPolicy()
    assert policy.offset_ns is None
    for stamp, arrival in ((0, 12), (33, 40), (66, 90)):
        policy.decide(stamp_ns=stamp, arrival_ns=arrival, now_ns=arrival)
    assert policy.offset_ns == 7


def test_the_limit_may_change_while_running():
    policy = DropPolicy()
    assert policy.decide(stamp_ns=0, arrival_ns=0, now_ns=100 * MS) == Track()
    policy.max_age_ms = 50
    assert policy.decide(stamp_ns=1, arrival_ns=1, now_ns=100 * MS) == OLD


def test_a_clock_that_is_set_or_begins_to_run_makes_nothing_too_old():
    """Simulated time that begins after the first images: their arrival was the uptime until then."""
    policy = DropPolicy(max_age_ms=500)
    verdicts = []
    for n in range(60):
        stamp, steady = 1_700_000_000 * S + n * 33 * MS, 6_000 * S + n * 33 * MS
        arrival = steady if n < 10 else stamp + 3 * MS
        verdicts.append(policy.decide(stamp_ns=stamp, arrival_ns=arrival, now_ns=arrival, steady_ns=steady))
    assert {type(verdict) for verdict in verdicts} == {Track}
    assert policy.offset_ns == 3 * MS
