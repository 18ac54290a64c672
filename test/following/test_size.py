"""How a new size is taken over: by a rate, that falls with the score or does not, and by no more than is allowed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scripted_matcher import START, Flight, config_of, sized

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.following.config import CREDULOUS, PriorConfig, SizeConfig
from stm_tracker_ros.following.size import followed_size

pytestmark = pytest.mark.pure

BEFORE, FOUND = Box(0.0, 0.0, 40.0, 30.0), Box(0.0, 0.0, 60.0, 15.0)
TRUSTING = config_of(presence=CREDULOUS, prior=PriorConfig(window=0.35, penalty=0.0))


@pytest.mark.parametrize(
    ("config", "confidence", "size"),
    [
        (SizeConfig(rate=0.5), 0.6, (40 + 0.3 * 20, 30 - 0.3 * 15)),
        (SizeConfig(rate=0.5, by_score=False), 0.6, (50.0, 22.5)),
        (SizeConfig(rate=1.0), 1.0, (60.0, 15.0)),
        (SizeConfig(rate=0.0), 1.0, (40.0, 30.0)),
        (SizeConfig(rate=1.0, by_score=False, largest_change=1.2), 0.1, (48.0, 25.0)),
    ],
)
def test_of_a_new_size_so_much_is_taken_over(config: SizeConfig, confidence: float, size: tuple[float, float]) -> None:
    assert followed_size(config, BEFORE, FOUND, confidence) == pytest.approx(size)


def test_a_size_is_taken_over_by_the_rate_times_the_score() -> None:
    answer = Flight(replace(TRUSTING, size=SizeConfig(rate=0.5))).show(sized(1.5, 0.6))
    assert answer.score == pytest.approx(0.6)
    assert answer.box.width == pytest.approx(40 + 0.3 * 20)
    assert answer.box.height == pytest.approx(30 + 0.3 * 15)
    assert answer.box.center == pytest.approx(START.center)


def test_the_penalty_of_a_strange_size_counts_as_well() -> None:
    config = replace(TRUSTING, size=SizeConfig(rate=0.5), prior=PriorConfig(window=0.35, penalty=0.4))
    penalty = 2.718281828 ** (-(1.5 - 1) * 0.4)
    assert Flight(config).show(sized(1.5, 0.6)).box.width == pytest.approx(40 + 0.3 * penalty * 20)


def test_the_rate_can_be_changed_while_tracking() -> None:
    flight = Flight(replace(TRUSTING, size=SizeConfig(rate=0.5)))
    flight.follower.reconfigure(with_changes(flight.follower.config, {"size.rate": 0.0}))
    assert flight.show(sized(1.5, 0.6)).box[2:] == pytest.approx(START[2:])
