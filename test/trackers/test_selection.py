"""Which frames stand for the past: the table observed in the authors' code, and Eq. 5 of the paper."""

from __future__ import annotations

import pytest

from stm_tracker_ros.trackers.stmtrack.selection import RULES

pytestmark = pytest.mark.pure

# past frames -> representatives in the authors' code (first frame among them), and by Eq. 5 as printed
TABLE = {
    5: ((1, 2, 3, 4), (1, 2, 3, 4)),
    8: ((1, 2, 4, 6, 8), (3, 5, 7, 9)),
    9: ((1, 2, 4, 6, 8), (3, 5, 7, 9)),
    10: ((1, 2, 4, 6, 8), (3, 5, 7, 9)),
    11: ((1, 2, 4, 6, 8), (3, 5, 7, 9)),
    12: ((1, 2, 5, 8, 11), (4, 7, 10, 13)),
    13: ((1, 2, 5, 8, 11), (4, 7, 10, 13)),
    14: ((1, 2, 5, 8, 11), (4, 7, 10, 13)),
    15: ((1, 2, 5, 8, 11), (4, 7, 10, 13)),
    16: ((1, 3, 7, 11, 15), (6, 10, 14, 18)),
    40: ((1, 6, 16, 26, 36), (15, 25, 35, 45)),
    100: ((1, 13, 38, 63, 88), (37, 62, 87, 112)),
}


@pytest.mark.parametrize("past", TABLE)
def test_the_authors_rule(past: int) -> None:
    assert sorted({1, *RULES["code"](past, 4)}) == list(TABLE[past][0])


@pytest.mark.parametrize("past", TABLE)
def test_equation_5_with_what_lies_ahead_set_to_the_last_frame(past: int) -> None:
    assert RULES["equation_5"](past, 4) == [min(number, past) for number in TABLE[past][1]]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("segments", [1, 4, 16])
def test_every_frame_while_there_are_no_more_than_segments(rule: str, segments: int) -> None:
    for past in range(1, segments + 1):
        assert RULES[rule](past, segments) == list(range(1, past + 1))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("segments", [1, 4, 16])
def test_one_frame_a_segment_none_of_it_ahead(rule: str, segments: int) -> None:
    for past in range(segments + 1, 400):
        numbers = RULES[rule](past, segments)
        assert len(numbers) == segments
        assert all(1 <= number <= past for number in numbers)
