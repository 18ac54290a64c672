"""Where a target that is away is looked for, one look after the other, and when what is seen there is believed."""

from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core.boxes import from_center
from stm_tracker_ros.core.types import Box, Frame
from stm_tracker_ros.following.search import ENOUGH, Search, Sighting, tour

pytestmark = pytest.mark.pure

WIDE = 2.0
FRAME = Frame(image=np.zeros((480, 640, 3), np.uint8), stamp_ns=0)
EXPECTED = from_center(500.0, 100.0, 30.0, 20.0)
SIDE = 90.0
THERE = Box(100.0, 300.0, 30.0, 20.0)
NEEDED = 0.9


class Looking:
    """A search that sees what it is told to."""

    def __init__(self, *, looks: int = 1, roams: bool = False) -> None:
        self.search, self.looks, self.roams, self.number = Search(), looks, roams, 0.0

    def see(
        self, box: Box | None, score: float = 0.6, *, sure: bool = True, elapsed: float = 1, worth: float = 1.0
    ) -> bool:
        """Whether the target is believed to be there. Notes where was looked."""
        self.number += elapsed
        self.regions = self.search.next(FRAME, EXPECTED, SIDE, self.looks, roams=self.roams)
        sighting = None if box is None else Sighting(box, score, worth, sure)
        return self.search.saw(sighting, self.number, 1.0, NEEDED, roams=self.roams)


class TestTour:
    def test_it_begins_at_the_expected_place_and_goes_outwards_wide_first(self) -> None:
        regions = list(tour(FRAME, EXPECTED, SIDE))
        factors = [region.factor for region in regions]
        assert factors == sorted(factors, reverse=True)
        for factor in (WIDE, 1.0):
            away = [np.hypot(*np.subtract(box.center, EXPECTED.center)) for box, one in regions if one == factor]
            assert away[0] == 0
            assert away == sorted(away)
        assert {region.box[2:] for region in regions} == {EXPECTED[2:]}

    @pytest.mark.parametrize("factor", [WIDE, 1.0])
    @pytest.mark.parametrize(("width", "height"), [(640, 480), (90, 2000), (50, 40), (1, 1)])
    def test_wherever_the_target_is_one_look_shows_all_of_it(self, factor: float, width: int, height: int) -> None:
        frame = Frame(image=np.zeros((height, width, 3), np.uint8), stamp_ns=0)
        regions = [box.center for box, one in tour(frame, EXPECTED, SIDE) if one == factor]
        middles, size = np.array(regions), (EXPECTED.width * EXPECTED.height) ** 0.5
        for x in np.linspace(min(size, width) / 2, width - min(size, width) / 2, 40):
            for y in np.linspace(min(size, height) / 2, height - min(size, height) / 2, 40):
                reach = np.abs(middles - (x, y)).max(1).min() + size / 2
                assert reach <= SIDE * factor / 2 + 1e-6

    def test_a_target_as_large_as_the_picture_needs_few(self) -> None:
        assert len(list(tour(FRAME, Box(0.0, 0.0, 600.0, 470.0), 800.0))) < 10


class TestLooks:
    def test_the_whole_way_is_gone_and_then_anew(self) -> None:
        looking, way = Looking(), list(tour(FRAME, EXPECTED, SIDE))
        seen = []
        for _ in range(2 * len(way)):
            assert not looking.see(None)
            seen += looking.regions
        assert seen == way * 2

    def test_several_looks_a_frame_go_it_faster(self) -> None:
        looking, way = Looking(looks=3), list(tour(FRAME, EXPECTED, SIDE))
        looking.see(None)
        assert looking.regions == way[:3]
        looking.see(None)
        assert looking.regions == way[3:6]

    def test_what_is_like_the_target_is_looked_at_next_as_large_as_it_seems(self) -> None:
        looking = Looking(looks=3)
        looking.see(THERE, sure=False)
        looking.see(None)
        assert looking.regions == [(THERE, 1.0)]
        looking.see(None)
        assert len(looking.regions) == 3  # nothing was there: further on

    def test_it_moves_with_the_camera(self) -> None:
        looking = Looking()
        looking.see(THERE)
        looking.search.carry((7.0, -3.0))
        looking.see(None)
        assert looking.regions[0].box == Box(107.0, 297.0, 30.0, 20.0)


class TestBelief:
    def test_it_takes_some_sure_looks_running(self) -> None:
        looking = Looking()
        looking.see(THERE, sure=False)
        assert [looking.see(THERE) for _ in range(ENOUGH)] == [False] * (ENOUGH - 1) + [True]

    def test_a_sure_one_counts_from_the_first(self) -> None:
        looking = Looking()
        assert [looking.see(THERE) for _ in range(ENOUGH)] == [False] * (ENOUGH - 1) + [True]

    @pytest.mark.parametrize("between", [None, (THERE, False), (THERE._replace(x=160.0), True)])
    def test_what_is_gone_unsure_or_elsewhere_in_between_is_not_believed(
        self, between: tuple[Box, bool] | None
    ) -> None:
        looking = Looking()
        for _ in range(ENOUGH - 1):
            looking.see(THERE)
        looking.see(None) if between is None else looking.see(between[0], sure=between[1])
        assert looking.search.lead is None
        assert not looking.see(THERE)

    @pytest.mark.parametrize(
        ("worths", "believed"), [((0.75, 0.95, 1.0), True), ((0.75, 0.95, 0.95), False), ((0.8, 0.8, 1.2), True)]
    )
    def test_it_is_the_average_that_counts(self, worths: tuple[float, ...], believed: bool) -> None:
        looking = Looking()
        assert [looking.see(THERE, worth=worth) for worth in worths][-1] == believed

    def test_the_last_looks_make_up_for_bad_ones_but_not_for_ever(self) -> None:
        looking = Looking()
        assert [looking.see(THERE, worth=worth) for worth in (0.7, 0.7, 0.7, 1.0, 1.1)] == [False] * 4 + [True]
        looking = Looking()
        for _ in range(2 * ENOUGH):
            assert looking.search.lead is not None or looking.number == 0
            assert not looking.see(THERE, worth=0.85)
        assert looking.search.lead is None

    def test_looks_of_one_moment_are_not_several(self) -> None:
        """A camera of 240 Hz: three looks are an eightieth of a second."""
        looking = Looking()
        believed = [looking.see(THERE, elapsed=0.125) for _ in range(17)]
        assert believed.index(True) == 16

    def test_one_that_nobody_has_looked_at_for_long_begins_anew(self) -> None:
        for elapsed, kept in ((15, True), (16, False)):
            looking = Looking()
            looking.see(THERE)
            looking.see(THERE, elapsed=elapsed)
            assert (looking.search.lead is not None) == kept

    @pytest.mark.parametrize(("away", "believed"), [(23.0, True), (25.0, False)])
    def test_from_look_to_look_it_may_go_as_far_as_it_is_large(self, away: float, believed: bool) -> None:
        looking = Looking()
        seen = [looking.see(THERE._replace(x=THERE.x + away * n)) for n in range(ENOUGH)]
        assert seen[-1] == believed

    def test_a_lead_says_for_how_long_it_was_the_same_and_how_often(self) -> None:
        looking = Looking()
        for times in range(1, 4):
            looking.see(THERE, 0.5 + times / 10, elapsed=2)
            assert looking.search.lead == (THERE, 0.5 + times / 10, 2 * (times - 1), times)


class TestRoaming:
    """Where the operator decides, the way around goes on beside the lead."""

    def test_it_looks_at_the_lead_and_further_on_in_turns(self) -> None:
        looking = Looking(roams=True)
        looking.see(THERE)
        watched = []
        for _ in range(4):
            looking.see(THERE if looking.search.lead and not looking.search.is_watching else None)
            watched.append(looking.regions[0].box == THERE)
        assert watched == [True, False, True, False]
        assert looking.search.lead is not None
        assert looking.search.lead.times == 3

    def test_what_is_not_believed_is_kept_for_the_operator(self) -> None:
        looking = Looking(roams=True)
        for _ in range(20):
            looking.see(THERE, worth=0.75)
        assert looking.search.lead is not None
        assert looking.search.lead.frames > 15

    def test_something_better_takes_its_place(self) -> None:
        better = THERE._replace(x=400.0)
        for score, taken in ((0.5, THERE), (0.7, better)):
            looking = Looking(roams=True)
            looking.see(THERE, 0.6)
            looking.see(THERE, 0.6)
            looking.see(better, score)
            assert looking.search.lead is not None
            assert looking.search.lead.box == taken

    def test_the_same_one_seen_in_passing_is_no_other(self) -> None:
        looking = Looking(roams=True)
        for score in (0.6, 0.6, 0.9, 0.6):
            looking.see(THERE, score)
        assert looking.search.lead is not None
        assert (looking.search.lead.times, looking.search.lead.frames) == (3, 3)

    def test_one_poor_look_takes_nothing_from_the_operator(self) -> None:
        looking = Looking(roams=True)
        for number in range(40):
            looking.see(THERE, sure=number % 4 != 3)
        assert looking.search.lead is not None
        assert looking.search.lead.frames > 30
        for _ in range(20):
            looking.see(THERE, sure=False)
        assert looking.search.lead is None or looking.search.lead.times == 0
