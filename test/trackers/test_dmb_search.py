"""Where DMB sends the search for a target that it does not see, and that it learns nothing from far off."""

from __future__ import annotations

import pytest
from dmb_scene import ColourStepper, Dmb, doubting, made, picture, start

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.trackers.dmb.config import LITE

pytestmark = pytest.mark.torch


def hide(tracker: Dmb, numbers: range, doubt: float) -> list[Box]:
    """Frames without the target, with a filter that is that uncertain; the regions that were searched."""
    doubting(tracker, doubt)
    regions = []
    for number in numbers:
        region = tracker.track(picture(0, 0, number, shown=False)).region
        assert region is not None
        tracker.memorize()
        regions.append(region)
    return regions


@pytest.mark.parametrize(("doubt", "stays"), [(2.0, True), (1.0, False)])
def test_a_doubtful_filter_does_not_move_the_search(tracker: Dmb, doubt: float, stays: bool) -> None:
    """The highest peak is somewhere else while the target is hidden; a sure one is followed."""
    start(tracker)
    places = [region.center for region in hide(tracker, range(1, 12), doubt)]
    assert all(place == pytest.approx((120, 110), abs=1) for place in places) == stays


def test_a_sure_filter_names_its_peak_as_the_next_place(tracker: Dmb) -> None:
    start(tracker)
    for doubt in (1.0, 2.0):
        doubting(tracker, doubt)
        tracker.track(picture(108, 90, 1))
        peaks = tracker.matcher.answers[-1].peaks
        assert peaks == ((tracker.seen.seen.peak,) if doubt < LITE.uncertainty.guess else ())


def test_a_map_of_distances_guesses_nothing(stepper: ColourStepper) -> None:
    stepper.score = 0.9
    tracker = made(stepper, with_changes(LITE, {"spatial.guide": "distance"}))
    start(tracker)
    doubting(tracker, 0.0)
    tracker.track(picture(108, 90, 1))
    assert tracker.matcher.answers[-1].peaks == ()


@pytest.mark.parametrize(("again", "finds"), [("auto", True), ("off", False)])
def test_what_comes_back_farther_off_is_found(stepper: ColourStepper, again: str, finds: bool) -> None:
    """2.6 sizes away, where the usual region of 3.2 does not reach."""
    stepper.score = 0.9
    tracker = made(stepper, with_changes(LITE, {"search.again": again, "search.camera_motion": False}))
    start(tracker)
    hide(tracker, range(1, 6), 2.0)
    scores = [tracker.track(picture(204, 90, number)).score for number in range(6, 26)]
    assert (max(scores) > 0.5) == finds
