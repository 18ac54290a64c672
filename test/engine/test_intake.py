from __future__ import annotations

import pytest

from stm_tracker_ros.engine.config import HistoryConfig
from stm_tracker_ros.engine.intake import Intake

pytestmark = pytest.mark.pure


def admit(intake, stamp_ns, sequence=None, arrival_ns=5_000):
    return intake.admit("image", stamp_ns=stamp_ns, arrival_ns=arrival_ns, nbytes=10, sequence=sequence)


def test_positions_count_what_never_reached_us():
    intake = Intake(HistoryConfig())
    found = [admit(intake, 1, 7, 0), admit(intake, 2, 8, 10**9), admit(intake, 3, 12, 2 * 10**9)]
    assert [frame.position for frame in found] == [1, 2, 6]
    assert intake.lost == (3, False)


def test_the_arrival_stands_for_a_missing_stamp():
    intake = Intake(HistoryConfig())
    found = [admit(intake, 0, arrival_ns=1000), admit(intake, 7, arrival_ns=2000)]
    assert [(frame.stamp_ns, frame.has_stamp) for frame in found] == [(1000, False), (7, True)]


def test_forgetting_empties_the_history_but_not_the_counts():
    intake = Intake(HistoryConfig())
    admit(intake, 1)
    assert intake.find(0, 0)[1] == 1
    intake.forget()
    assert intake.find(0, 0) == (None, 0)
    assert admit(intake, 2).position == 2


def test_another_source_says_nothing_of_losses_and_those_before_stay_counted():
    intake = Intake(HistoryConfig())
    admit(intake, 1, 1, 0)
    admit(intake, 2, 9, 10**9)
    intake.change_source()
    assert admit(intake, 3, 500, 2 * 10**9).position == 10
    assert intake.lost == (7, False)
    admit(intake, 4, 502, 3 * 10**9)
    assert intake.lost == (8, False)


def test_the_clock_of_camera_and_node_set_forward_is_no_loss():
    steady = iter(range(0, 10**9, 33_000_000))
    intake = Intake(HistoryConfig(), steady_ns=lambda: next(steady))
    for number in range(10):
        admit(intake, number * 33_000_000 + 1, arrival_ns=number * 33_000_000 + 1)
    leap = 10**18
    admit(intake, leap + 330_000_000, arrival_ns=leap + 330_000_000)
    assert intake.lost == (0, True)


def test_losses_are_counted_anew_and_places_go_on_rising():
    """After a fault the target is kept: what comes then must lie behind it in the stream."""
    intake = Intake(HistoryConfig())
    admit(intake, 1, 1, 0)
    before = admit(intake, 2, 9, 10**9)
    intake.restart()
    after = admit(intake, 3, 500, 2 * 10**9)
    assert (before.position, after.position) == (9, 10)
    assert intake.lost == (0, False)
