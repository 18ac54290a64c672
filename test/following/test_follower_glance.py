"""What may be the target, seen from afar, is looked at closely once (`search.glance_score`)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scripted_matcher import START, Flight, MaskingMatcher, config_of, right

from stm_tracker_ros.following.config import CREDULOUS, PriorConfig, SearchConfig, SizeConfig

pytestmark = pytest.mark.pure

CURIOUS = config_of(
    search=SearchConfig(camera_motion=False, largest=3.0, growth=0.1, glance_score=0.5),
    presence=replace(CREDULOUS, least_score=0.5),
    prior=PriorConfig(window=0.0, penalty=0.0),
    size=SizeConfig(rate=1.0, filtered=False),
)
CENTER = START.center[0]


def test_what_may_be_the_target_is_looked_at_closely_once() -> None:
    """If it is doubted from near by as well, the search goes back to where it was, and on growing."""
    flight = Flight(CURIOUS, MaskingMatcher())
    flight.show(frames=6)
    flight.matcher.trust = 0.1
    seen, said = [], []
    for _ in range(5):
        answer = flight.show(right(50, 0.9))
        assert not answer.found
        seen.append((flight.scale, flight.look.expected.center[0]))
        side = answer.region.width / flight.follower.config.area_factor
        said.append((side / 1200**0.5, answer.expected.center[0]))
    assert [scale for scale, _ in seen] == pytest.approx([1.6, 1, 1.8, 1, 2.0])
    assert [x for _, x in seen] == pytest.approx([CENTER, CENTER + 50, CENTER, CENTER + 50, CENTER])
    assert np.array(said) == pytest.approx(np.array(seen))
    flight.matcher.trust = 1.0
    assert flight.show(right(50, 0.9)).score == 0.9
    assert flight.show(right(50, 0.9)).expected.center[0] == pytest.approx(CENTER + 50)
    assert flight.scale == pytest.approx(1)


def test_what_the_network_does_not_see_either_is_not_looked_at() -> None:
    flight = Flight(CURIOUS, MaskingMatcher())
    flight.show(right(20, 0.4))
    assert flight.show().expected == START


def test_what_is_trusted_enough_is_followed_and_not_looked_at() -> None:
    flight = Flight(CURIOUS, MaskingMatcher())
    assert flight.show(right(20, 0.9)).found
    flight.show()
    assert flight.show().expected.center == pytest.approx(right(20, 0)[0].center)  # nothing was planned: it stays


def test_an_empty_mask_is_nothing_to_look_at() -> None:
    matcher = MaskingMatcher()
    matcher.empty_score, matcher.trust, matcher.peaks = 0.9, 0.1, ((400.0, 215.0),)
    flight = Flight(CURIOUS, matcher)
    flight.show()
    flight.matcher.peaks = ()
    flight.show()
    assert flight.scale == pytest.approx(1.1)  # a close look would have the usual region


def test_without_the_setting_nothing_is_looked_at_closely() -> None:
    flight = Flight(replace(CURIOUS, search=replace(CURIOUS.search, glance_score=1.0)), MaskingMatcher())
    flight.matcher.trust = 0.1
    for _ in range(4):
        flight.show(right(30, 0.99))
        assert flight.look.expected == START
