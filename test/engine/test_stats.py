from __future__ import annotations

import dataclasses
import math

import pytest

from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.engine.drop_policy import DropReason
from stm_tracker_ros.engine.stats import WINDOW, Stats, Status
from stm_tracker_ros.engine.target_state import Standing, State

pytestmark = pytest.mark.pure

MS = 1_000_000
STANDING = Standing(
    state=State.UNCERTAIN,
    config=StateConfig(),
    answered_ns=900 * MS,
    tracking_ns=400 * MS,
    unseen_ns=600 * MS,
)
STATUS = Status(state=State.UNCERTAIN, target_id="boat", score=0.4, age_ns=30 * MS, standing=STANDING)


def snapshot(stats, now_ms=1000, status=STATUS):
    return stats.snapshot(status, now_ns=now_ms * MS, lost=(4, True), stamp_trouble="")


def test_received_is_tracked_and_dropped_and_waiting():
    stats = Stats()
    for now in range(5):
        stats.arrived(now)
    for reason in (None, DropReason.SUPERSEDED, DropReason.SUPERSEDED, DropReason.TOO_OLD):
        stats.left(reason)
    found = snapshot(stats)
    assert (found.received, found.tracked, found.waiting) == (5, 1, 1)
    assert found.dropped[DropReason.SUPERSEDED] == 2
    assert sum(found.dropped.values()) == 3
    assert set(found.dropped) == set(DropReason)
    assert (found.lost, found.lost_is_estimated) == (4, True)


def test_without_anything_there_are_no_plausible_zeros():
    found = snapshot(Stats(), status=Status(state=State.NO_TARGET))
    for value in (found.score, found.answer_age_s, found.seen_s, found.rate_hz, found.silent_s, found.track.p50):
        assert math.isnan(value)
    assert math.isnan(found.clock_offset_ms)


def test_times_and_rate():
    stats = Stats()
    for n in range(10):
        stats.arrived(n * 100 * MS)
    found = snapshot(stats, now_ms=1000)
    assert found.rate_hz == pytest.approx(10)
    assert (found.silent_s, found.answer_age_s, found.seen_s, found.score) == pytest.approx((0.1, 0.03, 0.6, 0.4))
    found = snapshot(stats, now_ms=1400)
    assert (found.answer_age_s, found.seen_s, found.score) == pytest.approx((0.03, 1.1, 0.0)), "by the clock from here"


def test_the_dominant_reason_is_that_since_the_last_answer():
    stats = Stats()
    for reason in [DropReason.DUPLICATE] * 9 + [None] + [DropReason.TOO_OLD] * 3 + [DropReason.BAD_IMAGE]:
        stats.arrived(0)
        stats.left(reason)
    text = snapshot(stats, now_ms=1400).message
    assert text.startswith("nothing answered for 0.5 s: 3 of 4 images since then were dropped as too_old: ")
    assert snapshot(stats, now_ms=1000).message == ""


def test_the_pace_is_that_of_the_last_images():
    stats = Stats()
    for now in (0, 5, 100, 200, 300, 950, 1050, 1150):
        assert stats.pace_ns == 0 or now > 5
        stats.arrived(now * MS)
    assert stats.pace_ns == 100 * MS


def test_a_long_error_is_cut():
    stats = Stats()
    stats.failed("x" * 200_000)
    assert len(snapshot(stats).last_error) == 300


def test_counters_begin_anew():
    stats = Stats()
    for reason in (None, DropReason.TOO_OLD):
        stats.arrived(0)
        stats.left(reason)
    stats.arrived(0)
    stats.failed("odd")
    stats.restart()
    found = snapshot(stats)
    assert (found.received, found.tracked, found.waiting, found.errors) == (1, 0, 1, 0)
    assert not any(found.dropped.values())


def test_latencies_are_percentiles_of_the_last_ones():
    stats = Stats()
    for ms in [10_000] * 50 + list(range(1, WINDOW + 1)):
        stats.took("track", ms * MS)
    found = snapshot(stats).track
    assert found.count == WINDOW
    assert (found.p50, found.p95) == pytest.approx((300.5, 570.05))
    assert snapshot(stats).memorize.count == 0


@pytest.mark.parametrize(("offset_ms", "count"), [(5, 1), (-5, 0), (5000, 0)])
def test_age_of_answers_is_counted_where_the_clocks_agree(offset_ms, count):
    stats = Stats()
    stats.decided(offset_ms * MS, jumped=False)
    stats.answered(40 * MS)
    assert snapshot(stats).stamp_to_answer.count == count


def test_errors_and_jumps():
    stats = Stats()
    stats.decided(3 * MS, jumped=True)
    stats.failed("first")
    stats.failed("second")
    found = snapshot(stats)
    assert (found.errors, found.last_error, found.jumps, found.clock_offset_ms) == (2, "second", 1, 3)


def test_a_snapshot_does_not_change():
    stats = Stats()
    before = snapshot(stats)
    stats.arrived(0)
    stats.left(DropReason.PAUSED)
    assert before.dropped[DropReason.PAUSED] == before.received == 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.received = 3
    with pytest.raises(TypeError):
        before.dropped[DropReason.PAUSED] = 3
