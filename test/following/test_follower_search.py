"""How far around the expected place is looked: the usual region, growing once, or growing and beginning anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scripted_matcher import Flight, MaskingMatcher, config_of, right

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.following.config import CREDULOUS, STILL, PriorConfig, SearchConfig, SizeConfig
from stm_tracker_ros.following.search import search_factor

pytestmark = pytest.mark.pure

GATED = replace(CREDULOUS, least_score=0.5)
PLAIN = {"prior": PriorConfig(window=0.0, penalty=0.0), "size": SizeConfig(rate=1.0, filtered=False)}


class TestGrowingOnce:
    def test_the_region_grows_while_the_target_is_not_found(self) -> None:
        config = config_of(search=SearchConfig(camera_motion=False, largest=1.5), **PLAIN)
        flight, scales = Flight(config), []
        flight.show(right(0, 1.0), frames=38)
        for _ in range(80):
            flight.show()
            scales.append(flight.scale)
            assert flight.look.search_factor == pytest.approx(flight.scale)
        coast = config.presence.coast_frames
        assert scales[:coast] == pytest.approx([1.0] * coast)
        assert scales[-1] == pytest.approx(1.5)
        assert np.diff(scales).min() > -1e-9
        flight.show(right(0, 1.0), frames=2)
        assert flight.scale == pytest.approx(1.0, rel=0.02)

    def test_what_comes_back_far_off_is_found_there(self) -> None:
        """Ninety pixels away, where the usual region does not reach."""
        for largest, found in ((2.0, True), (1.0, False)):
            flight = Flight(config_of(search=SearchConfig(camera_motion=False, largest=largest), **PLAIN))
            flight.show(right(0, 0.6), frames=30)
            flight.show(frames=60)
            assert flight.show(right(90, 0.6)).found == found

    def test_how_far_can_be_changed_while_the_target_is_away(self) -> None:
        config = config_of(**PLAIN)
        flight = Flight(config)
        flight.show(right(0, 0.6), frames=30)
        flight.show(frames=80)
        assert flight.scale == pytest.approx(2.0)
        flight.follower.reconfigure(with_changes(config, {"search.largest": 1.25}))
        flight.show()
        assert flight.scale == pytest.approx(1.25)

    @pytest.mark.parametrize(("unseen", "factor"), [(0, 1.0), (10, 1.0), (35, 1.5), (60, 2.0), (1000, 2.0)])
    def test_between_coasting_and_the_end_of_patience_it_grows_evenly(self, unseen: int, factor: float) -> None:
        assert search_factor(config_of(), unseen) == pytest.approx(factor)

    def test_time_counts_not_frames(self) -> None:
        fast, slow = (Flight(config_of(**PLAIN)) for _ in range(2))
        for flight, elapsed in ((fast, 1), (slow, 3)):
            flight.show(right(0, 0.6), frames=30)
            flight.show(frames=36 // elapsed, elapsed=elapsed)
            flight.show()
        assert fast.scale == slow.scale > 1.2


class TestGrowingInTurns:
    def test_it_begins_anew_at_the_usual_region(self) -> None:
        search = SearchConfig(camera_motion=False, growth=0.5, largest=2.0)
        flight, scales = Flight(config_of(search=search, presence=GATED, **PLAIN), MaskingMatcher()), []
        for _ in range(7):
            flight.show()
            scales.append(flight.scale)
        assert scales == pytest.approx([1, 1.5, 2, 1, 1.5, 2, 1])
        flight.show(right(0, 0.9), frames=2)
        assert flight.scale == pytest.approx(1)

    @pytest.mark.parametrize(("growth", "finds"), [(0.1, True), (0.0, False)])
    def test_what_comes_back_farther_off_is_found(self, growth: float, finds: bool) -> None:
        """2.6 sizes away, where the usual region does not reach; patience is endless, so that it never grows once."""
        search = SearchConfig(camera_motion=False, growth=growth, largest=3.0)
        presence = replace(GATED, far_frames=1e9)
        flight = Flight(config_of(search=search, presence=presence, **PLAIN), MaskingMatcher())
        flight.show(frames=5)
        found = [flight.show(right(90, 0.9)).found for _ in range(20)]
        assert any(found) == finds

    def test_no_step_goes_beyond_the_largest(self) -> None:
        config = config_of(search=SearchConfig(camera_motion=False, growth=0.3, largest=2.0))
        factors = [search_factor(config, unseen) for unseen in range(8)]
        assert factors == pytest.approx([1.0, 1.3, 1.6, 1.9, 1.0, 1.3, 1.6, 1.9])

    def test_a_growth_that_divides_the_way_exactly_reaches_the_largest(self) -> None:
        config = config_of(search=SearchConfig(camera_motion=False, growth=0.1, largest=3.0))
        assert max(search_factor(config, unseen) for unseen in range(100)) == pytest.approx(3.0)


def test_still_is_the_usual_region_for_ever() -> None:
    config = config_of(search=STILL)
    assert {search_factor(config, unseen) for unseen in (0, 1, 50, 10_000)} == {1.0}
