from __future__ import annotations

import pytest

from stm_tracker_ros.engine.loss import LossCounter

pytestmark = pytest.mark.pure

MS = 1_000_000


def totals(steps):
    counter = LossCounter()
    found = [counter.add(sequence, stamp * MS, stamp * MS) for sequence, stamp in steps]
    return found, counter.estimated


def test_gaps_of_the_sequence_number_are_counted():
    assert totals([(5, 0), (6, 33), (9, 132), (10, 165)]) == ([0, 0, 2, 2], False)


def test_another_publisher_is_not_taken_for_losses():
    restarted, _ = totals([(500, 0), (501, 33), (1, 66), (2, 99)])
    assert restarted == [0, 0, 0, 0]
    alternating, _ = totals([(9000, 0), (5, 1), (9001, 2), (6, 3)])
    assert alternating == [0, 0, 0, 0]


def test_without_sequence_numbers_the_stamps_give_an_estimate_and_it_says_so():
    steps = [(None, 33 * n) for n in range(10)] + [(None, 33 * 13), (None, 33 * 14)]
    found, estimated = totals(steps)
    assert (found[9], found[10], found[11], estimated) == (0, 3, 3, True)


def test_the_estimate_holds_with_jitter_and_a_jump_back():
    steps = [(None, stamp) for stamp in (0, 30, 66, 101, 131, 1, 34)]
    assert totals(steps)[0] == [0] * 7


def test_a_clock_that_is_set_forward_is_no_loss():
    counter = LossCounter()
    stamps = [33 * n for n in range(30)] + [10**12 + 33 * n for n in range(30)]
    found = [counter.add(None, stamp * MS, 33 * n * MS) for n, stamp in enumerate(stamps)]
    assert found == [0] * 60
