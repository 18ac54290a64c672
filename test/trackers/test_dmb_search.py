"""Where DMB looks for a target that it does not see: the region stays, grows, begins anew, and looks closely once."""

from __future__ import annotations

import numpy as np
import pytest
from dmb_scene import SIDE, ColourStepper, picture, start

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.parts.crop import Crop
from stm_tracker_ros.trackers.dmb.config import LITE
from stm_tracker_ros.trackers.dmb.tracker import DmbTracker

pytestmark = pytest.mark.torch


def doubting(tracker: DmbTracker, doubt: float) -> None:
    """The filter is that uncertain from here on, and the score is the network's."""
    assert tracker.state is not None
    tracker.state.uncertainty.judge = lambda peak: doubt  # type: ignore[method-assign]
    tracker.state.uncertainty.trust = lambda doubt: 1.0  # type: ignore[method-assign]


def hide(tracker: DmbTracker, numbers: range, doubt: float) -> list[Crop]:
    """Frames without the target, with a filter that is that uncertain; the crops that were searched."""
    doubting(tracker, doubt)
    state = tracker.state
    assert state is not None
    crops = []
    for number in numbers:
        tracker.track(picture(0, 0, number, shown=False))
        tracker.memorize()
        crops.append(state.look.crop)
    return crops


def center(crop: Crop, size: int) -> tuple[float, float]:
    return crop.left + size * crop.scale / 2, crop.top + size * crop.scale / 2


@pytest.mark.parametrize(("doubt", "stays"), [(2.0, True), (1.0, False)])
def test_a_doubtful_filter_does_not_move_the_search(tracker: DmbTracker, doubt: float, stays: bool) -> None:
    """The highest peak is somewhere else while the target is hidden; a sure one is followed."""
    start(tracker)
    size = tracker.stepper.crop_size
    places = [center(crop, size) for crop in hide(tracker, range(1, 12), doubt)]
    assert all(place == pytest.approx((120, 110), abs=1) for place in places) == stays


def test_the_search_grows_while_the_target_is_not_seen_and_begins_anew(stepper: ColourStepper) -> None:
    stepper.score = 0.9
    tracker = DmbTracker(stepper, with_changes(LITE, {"search.growth": 0.5, "search.largest": 2.0}))
    start(tracker)
    usual = tracker.state.look.crop.scale  # type: ignore[union-attr]
    reaches = [crop.scale / usual for crop in hide(tracker, range(1, 8), 2.0)]
    assert reaches == pytest.approx([1, 1.5, 2, 1, 1.5, 2, 1], rel=0.03)
    tracker.track(picture(100, 90, 8))
    tracker.track(picture(100, 90, 9))
    assert tracker.state.look.crop.scale / usual == pytest.approx(1, rel=0.15)  # type: ignore[union-attr]


@pytest.mark.parametrize(("growth", "finds"), [(0.1, True), (0.0, False)])
def test_what_comes_back_farther_off_is_found(stepper: ColourStepper, growth: float, finds: bool) -> None:
    """2.6 sizes away, where the usual region of 3.2 does not reach."""
    stepper.score = 0.9
    tracker = DmbTracker(stepper, with_changes(LITE, {"search.growth": growth}))
    start(tracker)
    hide(tracker, range(1, 6), 2.0)
    scores = [tracker.track(picture(204, 90, number)).score for number in range(6, 26)]
    assert (max(scores) > 0.5) == finds


def test_a_wider_search_teaches_nothing(tracker: DmbTracker) -> None:
    """It shows the target smaller than it is known; the next frame, of the usual region, is remembered."""
    start(tracker)
    hide(tracker, range(1, 5), 2.0)
    state = tracker.state
    assert state is not None
    for number, remembered in ((5, 1), (6, 7)):
        filled = state.spatial.filled
        assert tracker.track(picture(100, 90, number)).score == 0.9
        tracker.memorize()
        assert state.bank.numbers[state.bank.previous] == remembered
        assert (state.spatial.filled > filled) == (remembered == 7)


def test_what_may_be_the_target_is_looked_at_closely_once(tracker: DmbTracker) -> None:
    """The filter doubts what it sees from afar; if it doubts that from near by as well, the search goes back."""
    start(tracker)
    hide(tracker, range(1, 7), 2.0)
    state, size = tracker.state, tracker.stepper.crop_size
    assert state is not None
    state.uncertainty.trust = lambda doubt: 0.1  # type: ignore[method-assign]
    usual, seen, said = 3.2 * SIDE / size, [], []
    for number in range(7, 12):
        result = tracker.track(picture(160, 90, number))
        seen.append((state.look.crop.scale / usual, center(state.look.crop, size)[0]))
        assert result.expected is not None
        assert result.region is not None
        said.append((result.region.width / (3.2 * SIDE), result.expected.center[0]))
        assert not result.found
    assert [reach for reach, _ in seen] == pytest.approx([1.6, 1, 1.8, 1, 2.0], rel=0.03)
    assert [x for _, x in seen] == pytest.approx([120, 180, 120, 180, 120], abs=4)
    assert np.array(said) == pytest.approx(np.array(seen), abs=0.01)
    state.uncertainty.trust = lambda doubt: 1.0  # type: ignore[method-assign]
    assert tracker.track(picture(160, 90, 12)).score == 0.9
    assert state.box.center[0] == pytest.approx(180, abs=4)
    assert state.glance is None


def test_what_the_network_does_not_see_either_is_not_looked_at(tracker: DmbTracker, stepper: ColourStepper) -> None:
    start(tracker)
    doubting(tracker, 2.0)
    stepper.score = 0.4
    tracker.track(picture(120, 90, 1))
    assert tracker.state is not None
    assert tracker.state.glance is None


def test_the_box_keeps_place_and_size_under_the_follow_score(tracker: DmbTracker, stepper: ColourStepper) -> None:
    start(tracker)
    doubting(tracker, 2.0)
    state = tracker.state
    assert state is not None
    before = state.box
    stepper.score = 0.45
    missed = tracker.track(picture(112, 96, 1))
    assert state.box == before
    assert (missed.found, missed.expected, missed.candidates) == (False, before, ())
    stepper.score = 0.55
    seen = tracker.track(picture(112, 96, 2))
    assert state.box.center == pytest.approx((132, 116), abs=3)
    assert (seen.found, seen.expected, seen.candidates) == (True, before, ((seen.box, 0.55),))
