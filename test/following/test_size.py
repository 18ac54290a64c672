"""The search region takes a new size over by a rate; what is answered is filtered by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scripted_matcher import START, Flight, config_of, sized

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.following.config import FOLLOW_BEST, PriorConfig, SizeConfig
from stm_tracker_ros.following.size import Size

pytestmark = pytest.mark.pure

BEFORE, FOUND = Box(0.0, 0.0, 40.0, 30.0), Box(0.0, 0.0, 42.0, 28.5)
TRUSTING = config_of(presence=FOLLOW_BEST, prior=PriorConfig(window=0.35, penalty=0.0))
BY_RATE = SizeConfig(rate=0.5, filtered=False)


def sides_after(found: Box, *, frames: int = 1, share: float = 1.0, looks: int = 1) -> np.ndarray:
    size = Size(BEFORE)
    for _ in range(looks):
        size.update(found, frames, share)
    return np.array(size.sides)


def test_nothing_seen_is_the_size_that_was_named() -> None:
    assert Size(BEFORE).sides == pytest.approx((40.0, 30.0))


def test_one_look_counts_as_a_kalman_filter_says() -> None:
    once = np.sqrt(np.array(BEFORE[2:]) * FOUND[2:])  # it was known exactly, and has walked as far as a look is off
    assert sides_after(FOUND) == pytest.approx(once)
    variance = 0.5 + 1  # what is left, and the walk of another frame
    gain = variance / (variance + 1)
    assert sides_after(FOUND, looks=2) == pytest.approx(once * (np.array(FOUND[2:]) / once) ** gain)


def test_it_comes_to_what_is_seen_again_and_again() -> None:
    assert sides_after(FOUND, looks=60) == pytest.approx(FOUND[2:], rel=1e-3)


def test_a_poor_look_counts_less_and_a_hopeless_one_nothing() -> None:
    moved = [sides_after(FOUND, share=share)[0] - 40 for share in (1.0, 0.8, 0.4, 0.0)]
    assert moved[0] > moved[1] > moved[2] > 0
    assert moved[3] == 0
    assert sides_after(FOUND, share=1.5) == pytest.approx(sides_after(FOUND))  # more than usual is not better


def test_after_a_while_unseen_a_look_counts_more() -> None:
    assert sides_after(FOUND, frames=30)[0] > sides_after(FOUND)[0] + 0.5


def test_the_answer_follows_at_once_and_the_search_region_slowly() -> None:
    flight = Flight(replace(TRUSTING, size=SizeConfig(rate=0.1)))
    for _ in range(5):
        answer = flight.show(sized(1.2, 0.6))
    assert answer.box.width > 45
    assert answer.box.center == pytest.approx(START.center)
    state = flight.follower.state
    assert state is not None
    assert 40 < state.box.width < 43
    assert flight.matcher.looks[-1].expected.width < 43


def test_a_side_of_nothing_is_not_believed_for_ever() -> None:
    flight = Flight(replace(TRUSTING, size=SizeConfig(rate=0.1)))
    flight.show((START._replace(width=0.0), 0.6))
    for _ in range(30):
        answer = flight.show(sized(1.0, 0.6))
    assert answer.box == pytest.approx(START, abs=0.5)


def test_what_is_remembered_has_the_search_regions_size() -> None:
    flight = Flight(replace(TRUSTING, size=SizeConfig(rate=0.1)))
    flight.show(sized(1.2, 0.6))
    state = flight.follower.state
    assert state is not None
    assert flight.matcher.remembered[-1].box == state.box != state.answer


def test_a_size_is_taken_over_by_the_rate_times_the_score() -> None:
    answer = Flight(replace(TRUSTING, size=BY_RATE)).show(sized(1.5, 0.6))
    assert answer.score == pytest.approx(0.6)
    assert answer.box.width == pytest.approx(40 + 0.3 * 20)
    assert answer.box.height == pytest.approx(30 + 0.3 * 15)
    assert answer.box.center == pytest.approx(START.center)


def test_the_penalty_of_a_strange_size_counts_as_well() -> None:
    config = replace(TRUSTING, size=BY_RATE, prior=PriorConfig(window=0.35, penalty=0.4))
    penalty = 2.718281828 ** (-(1.5 - 1) * 0.4)
    assert Flight(config).show(sized(1.5, 0.6)).box.width == pytest.approx(40 + 0.3 * penalty * 20)


def test_the_rate_can_be_changed_while_tracking() -> None:
    flight = Flight(replace(TRUSTING, size=BY_RATE))
    flight.follower.reconfigure(with_changes(flight.follower.config, {"size.rate": 0.0}))
    assert flight.show(sized(1.5, 0.6)).box[2:] == pytest.approx(START[2:])
