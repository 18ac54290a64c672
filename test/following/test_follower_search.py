"""How far around the expected place is looked: the usual region, a larger one each frame, and the usual one again."""

from __future__ import annotations

import pytest
from scripted_matcher import Flight, config_of, right

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.following.config import STILL, PriorConfig, SearchConfig, SizeConfig
from stm_tracker_ros.following.search import TURN_FRAMES, search_factor

pytestmark = pytest.mark.pure

PLAIN = {"prior": PriorConfig(window=0.0, penalty=0.0), "size": SizeConfig(rate=1.0, filtered=False)}


def test_the_region_grows_in_turns_while_the_target_is_not_found() -> None:
    flight, scales = Flight(config_of(search=SearchConfig(camera_motion=False, largest=1.5), **PLAIN)), []
    flight.show(right(0, 1.0), frames=38)
    for _ in range(2 * (TURN_FRAMES + 1)):
        flight.show()
        scales.append(flight.scale)
        assert flight.look.search_factor == pytest.approx(flight.scale)
    turn = [1 + 0.5 * frame / TURN_FRAMES for frame in range(TURN_FRAMES + 1)]
    assert scales == pytest.approx(turn * 2)
    flight.show(right(0, 1.0), frames=2)
    assert flight.scale == pytest.approx(1.0, rel=0.02)


def test_what_comes_back_far_off_is_found_within_a_turn() -> None:
    """Ninety pixels away, where the usual region does not reach."""
    for largest, found in ((2.0, True), (1.0, False)):
        flight = Flight(config_of(search=SearchConfig(camera_motion=False, largest=largest), **PLAIN))
        flight.show(right(0, 0.6), frames=30)
        flight.show(frames=3 * (TURN_FRAMES + 1))
        assert any(flight.show(right(90, 0.6)).found for _ in range(TURN_FRAMES + 1)) == found


def test_how_far_can_be_changed_while_the_target_is_away() -> None:
    config = config_of(**PLAIN)
    flight = Flight(config)
    flight.show(right(0, 0.6), frames=30)
    flight.show(frames=TURN_FRAMES + 1)
    flight.follower.reconfigure(with_changes(config, {"search.largest": 5.0}))
    flight.show(frames=TURN_FRAMES + 1)
    assert flight.scale == pytest.approx(5.0)


def test_time_counts_not_frames() -> None:
    fast, slow = (Flight(config_of(**PLAIN)) for _ in range(2))
    for flight, elapsed in ((fast, 1), (slow, 3)):
        flight.show(right(0, 0.6), frames=30)
        flight.show(frames=15 // elapsed, elapsed=elapsed)
        flight.show()
    assert fast.scale == slow.scale > 1.2


def test_at_a_low_rate_it_grows_as_well() -> None:
    assert {search_factor(2.0, TURN_FRAMES * frame) for frame in range(30)} > {1.0}


def test_still_is_the_usual_region_for_ever() -> None:
    assert {search_factor(STILL.largest, unseen) for unseen in (0, 1, 50, 10_000)} == {1.0}
