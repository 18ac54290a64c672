from __future__ import annotations

import logging

import pytest

from stm_tracker_ros.engine.history import Offered
from stm_tracker_ros.engine.stamps import MISSING, STILL, WHOLE_SECONDS, Stamps

pytestmark = pytest.mark.pure

S = 1_000_000_000
MS = 1_000_000


def image(stamp_ns, arrival_ns):
    return Offered(
        message=None,
        stamp_ns=stamp_ns or arrival_ns,
        arrival_ns=arrival_ns,
        received_ns=0,
        nbytes=0,
        position=0,
        has_stamp=bool(stamp_ns),
    )


def times(stamps_ns, period_ms=33, start_ns=500 * S):
    """Of images that arrive every `period_ms`: the time of each, and what was found wrong in the end."""
    judge = Stamps()
    found = [judge.time_of(image(stamp, start_ns + n * period_ms * MS)) - start_ns for n, stamp in enumerate(stamps_ns)]
    return found, judge.trouble


def test_stamps_that_rise_are_used():
    stamps = [n * 33 * MS + 7 for n in range(20)]
    judge = Stamps()
    assert [judge.time_of(image(stamp, 10**18 + n)) for n, stamp in enumerate(stamps)] == stamps
    assert judge.trouble == ""


def test_stamps_that_stand_still_give_way_to_the_arrival():
    found, trouble = times([77] * 12)
    assert found[4:] == [n * 33 * MS for n in range(4, 12)]
    assert trouble == STILL


@pytest.mark.parametrize("step_ns", [S, 0])
def test_whole_seconds_give_way_to_the_arrival(step_ns):
    """Cut to seconds, or one a frame."""
    stamps = [(1000 + n // 30) * S if not step_ns else (1000 + n) * S for n in range(60)]
    found, trouble = times(stamps)
    assert found[4:] == [n * 33 * MS for n in range(4, 60)]
    assert trouble == WHOLE_SECONDS


def test_a_camera_of_one_image_a_second_may_have_whole_seconds():
    judge = Stamps()
    stamps = [(1000 + n) * S for n in range(20)]
    assert [judge.time_of(image(stamp, stamp + 3 * MS)) for stamp in stamps] == stamps


def test_an_image_that_comes_twice_is_no_stream_of_bad_stamps():
    judge = Stamps()
    stamps = [n // 2 * 33 * MS + 7 for n in range(40)]
    assert [judge.time_of(image(stamp, n * 16 * MS)) for n, stamp in enumerate(stamps)] == stamps


def test_a_missing_stamp_counts_at_once_and_stamps_come_back():
    judge = Stamps()
    assert judge.time_of(image(0, 5)) == 5
    assert judge.trouble == MISSING
    stamps = [7 * S + n * 33 * MS + 1 for n in range(10)]
    found = [judge.time_of(image(stamp, stamp + 1)) for stamp in stamps]
    assert found[:3] == [stamp + 1 for stamp in stamps[:3]]
    assert found[5:] == stamps[5:]
    assert judge.trouble == ""


def test_time_rises_where_the_clock_is_coarse():
    judge = Stamps()
    found = [judge.time_of(image(0, arrival)) for arrival in (100, 100, 100, 200)]
    assert found == [100, 101, 102, 200]


def test_one_warning(caplog):
    judge = Stamps()
    with caplog.at_level(logging.WARNING):
        for n in range(100):
            judge.time_of(image(77, n * 33 * MS))
    assert len(caplog.records) == 1
    assert "stand still" in caplog.text
