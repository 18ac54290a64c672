"""The presence gate in the follower: who may be the target, of those the best ranks, and the settings act in flight."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scripted_matcher import START, Flight, config_of, right

from stm_tracker_ros.core.boxes import from_center
from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.following.config import FOLLOW_BEST, PriorConfig, SizeConfig
from stm_tracker_ros.following.presence import ORDINARY

pytestmark = pytest.mark.pure

PRIOR = PriorConfig(window=0.35, penalty=0.0)
SIZE = SizeConfig(rate=1.0, filtered=False)
JUDGING = config_of(prior=PRIOR, size=SIZE)
TRUSTING = config_of(prior=PRIOR, size=SIZE, presence=FOLLOW_BEST)


def test_of_the_candidates_only_those_that_may_be_the_target_are_ranked() -> None:
    """What is too far off has the best score, and under a window of nothing the best rank."""
    crowd = right(45, 0.35), right(0, 0.3)
    for config, x in ((JUDGING, START.x), (TRUSTING, START.x + 45)):
        flight = Flight(replace(config, prior=PriorConfig(window=0.0, penalty=0.0)))
        flight.show(right(0, 0.6), frames=20)
        answer = flight.show(*crowd)
        assert answer.found
        assert answer.box.x == pytest.approx(x, abs=0.5)


def test_of_those_that_may_be_the_target_the_window_decides() -> None:
    for window, x in ((0.9, START.x), (0.0, START.x + 24)):
        flight = Flight(replace(JUDGING, prior=PriorConfig(window=window, penalty=0.0)))
        flight.show(right(0, 0.6), frames=20)
        assert flight.show(right(0, 0.5), right(24, 0.6)).box.x == pytest.approx(x, abs=0.5)


def test_of_those_that_may_be_the_target_one_of_its_size_is_preferred() -> None:
    large = from_center(START.center[0] + 24, START.center[1], 80.0, 60.0)
    for penalty, width in ((1.0, 40.0), (0.0, 80.0)):
        flight = Flight(config_of(prior=PriorConfig(window=0.0, penalty=penalty), size=SizeConfig(filtered=False)))
        flight.show(right(0, 0.6), frames=20)
        flight.show(right(0, 0.5), (large, 0.6))
        assert flight.matcher.remembered[-1].chosen.width == pytest.approx(width)


def test_how_a_candidate_is_judged_can_be_changed_while_tracking() -> None:
    flight = Flight(JUDGING)
    flight.show(right(0, 1.0), frames=28)
    flight.show()
    assert not flight.show(right(45, 0.6)).found
    flight.follower.reconfigure(with_changes(JUDGING, {"presence.far_share": 0.5}))
    assert flight.show(right(45, 0.6)).box.x == pytest.approx(START.x + 45, abs=0.5)


def test_after_a_jump_the_answer_is_trusted_less() -> None:
    flight = Flight(JUDGING)
    flight.show(right(0, 0.6), frames=30)
    flight.show()
    answer = flight.show(right(45, 0.6))
    assert answer.found
    trusted = 0.6 * (1 - JUDGING.presence.far_share / 2)
    assert flight.matcher.remembered[-1].evidence.score == pytest.approx(trusted, abs=0.01)
    assert answer.score == pytest.approx(trusted / (1 + ORDINARY), abs=0.01)  # nobody has looked for others yet
    assert flight.show(right(45, 0.6), frames=8).score == pytest.approx(trusted, rel=0.15)


def test_less_than_the_least_score_is_nowhere_the_target() -> None:
    """Whatever is usual, and however little is asked otherwise."""
    for score, found in ((0.45, False), (0.55, True)):
        flight = Flight(replace(TRUSTING, presence=replace(FOLLOW_BEST, least_score=0.5)))
        answer = flight.show(right(12, score))
        assert (answer.found, answer.expected) == (found, START)
        assert answer.score == pytest.approx(score)
        followed = flight.show(right(12, 0.1)).box  # shown where it is kept
        assert followed.x == pytest.approx(START.x + 12 * found, abs=0.5)
        assert followed[2:] == pytest.approx(START[2:])


def test_what_the_matcher_does_not_trust_itself_is_judged_by_what_is_left_of_its_score() -> None:
    flight = Flight(replace(TRUSTING, presence=replace(FOLLOW_BEST, least_score=0.5)))
    flight.matcher.trust = 0.5
    answer = flight.show(right(0, 0.9))
    assert not answer.found
    assert answer.score == pytest.approx(0.45)


class TestDistractors:
    """What was seen beside the target is not taken for it when it is hidden."""

    def test_it_is_not_followed(self) -> None:
        for share, found in ((0.95, False), (0.0, True)):
            flight = Flight(replace(JUDGING, presence=replace(JUDGING.presence, distractor_share=share, far_share=0.6)))
            flight.show(right(0, 0.6), frames=20)
            for step in range(9, -1, -1):
                flight.show(right(0, 0.6), right(28 + 3 * step, 0.3))
            assert flight.show(right(28, 0.5)).found == found
