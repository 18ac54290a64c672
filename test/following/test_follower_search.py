"""A target that is away is looked for elsewhere and found again, by itself or once the operator says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scripted_matcher import START, Flight, MaskingMatcher, config_of, frame_at, right

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.errors import NotInitialisedError
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.following.colours import Colours
from stm_tracker_ros.following.config import FollowingConfig, PriorConfig, SizeConfig
from stm_tracker_ros.following.follower import Follower
from stm_tracker_ros.following.search import ENOUGH

pytestmark = pytest.mark.pure

PLAIN = {"prior": PriorConfig(window=0.0, penalty=0.0), "size": SizeConfig(rate=1.0, filtered=False)}
USUAL, TOUR = 0.6, 60  # score of the target; frames in which the whole image is looked at
AWAY_BOX = Box(600.0, 20.0, 10.0, 10.0)
AWAY = (-200.0, 200.0)  # pixels to the right: farther off than the usual region reaches


def flying(matcher: Any = None, **search: Any) -> Flight:
    """A target that was well seen for a while, and is gone."""
    config = config_of(**PLAIN)
    flight = Flight(replace(config, search=replace(config.search, **search)), matcher)
    flight.show(right(0, USUAL), frames=30)
    flight.show()
    return flight


def until_found(flight: Flight, *sights: tuple[Box, float], frames: int = TOUR) -> int | None:
    """How many frames with these sights it takes until the target is found."""
    return next((number for number in range(1, frames + 1) if flight.show(*sights).found), None)


@pytest.mark.parametrize("x", AWAY)
def test_what_comes_back_far_off_is_found_with_its_size_and_no_doubt(x: float) -> None:
    flight = flying()
    larger = Box(START.x + x, START.y, 50.0, 37.5)
    assert until_found(flight, (larger, USUAL)) is not None
    assert flight.answer.box == pytest.approx(larger)
    assert flight.answer.score == pytest.approx(USUAL, abs=0.01)
    assert flight.answer.lead is None
    assert flight.matcher.remembered[-1].chosen == pytest.approx(larger)  # and learned
    assert flight.show((larger, USUAL)).expected == pytest.approx(larger)


def test_a_target_in_sight_costs_one_look_a_frame_and_one_that_is_away_one_more() -> None:
    flight = flying()
    assert {len(looks) for looks in flight.matcher.elsewhere[:-1]} == {0}
    flight.show(frames=TOUR)
    assert {len(looks) for looks in flight.matcher.elsewhere[-TOUR:]} == {1}
    flight = flying(looks=3)
    flight.show()
    assert len(flight.matcher.elsewhere[-1]) == 3


def test_found_again_it_is_searched_no_longer() -> None:
    flight = flying()
    until_found(flight, right(200, USUAL))
    flight.show(right(200, USUAL), frames=3)
    assert not any(flight.matcher.elsewhere[-3:])


@pytest.mark.parametrize(
    ("share", "likeness", "found"), [(0.88, 1.0, False), (0.92, 1.0, True), (0.98, 0.8, False), (1.04, 0.8, True)]
)
def test_far_share_of_the_usual_score_is_needed_and_more_the_less_its_colours_are_alike(
    share: float, likeness: float, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Colours, "likeness", lambda self, look, box: likeness)
    assert (until_found(flying(), right(200, share * USUAL)) is not None) == found


@pytest.mark.parametrize("known", [True, False])
def test_where_its_place_is_unknown_what_is_elsewhere_is_not_learned_as_something_else(known: bool) -> None:
    flight = Flight(config_of(**PLAIN))
    flight.show(right(0, USUAL), frames=30)
    assert flight.follower.state is not None
    flight.follower.state.whereabouts.is_known = known
    flight.show(right(45, 0.4 * USUAL))
    assert not flight.answer.found
    assert len(flight.follower.state.presence.distractors.known) == known


@pytest.mark.parametrize(("score", "anchor"), [(0.8 * USUAL, USUAL), (USUAL, 0.3 * USUAL), (0.3 * USUAL, USUAL)])
def test_what_is_less_like_the_target_than_usual_is_not_taken(score: float, anchor: float) -> None:
    """By all the memory, or by the first frame's alone."""
    flight = flying()
    flight.matcher.anchor = anchor
    assert until_found(flight, right(200, score)) is None


@pytest.mark.parametrize("again", ["auto", "confirm"])
def test_what_has_other_colours_is_not_taken_but_offered_to_who_can_see_it(
    again: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flight = flying(again=again)
    asked: list[Box] = []
    monkeypatch.setattr(Colours, "likeness", lambda self, look, box: float(bool(asked.append(box))))
    assert until_found(flight, right(200, USUAL)) is None
    assert bool(asked) == (again == "auto")
    assert (flight.answer.lead is not None and flight.answer.lead.times > ENOUGH) == (again == "confirm")


def test_with_nothing_asked_for_no_colours_are_too_unlike() -> None:
    flight = flying()
    flight.follower.reconfigure(with_changes(flight.follower.config, {"presence.far_share": 0.0}))
    assert until_found(flight, right(200, USUAL)) is not None


def test_colours_are_learned_once_it_is_answered_and_only_where_it_is_well_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learned: list[Box] = []
    monkeypatch.setattr(Colours, "learn", lambda self, look, box, step: learned.append(box))
    flight = Flight(config_of(**PLAIN))
    flight.show(right(0, USUAL), frames=30)
    assert np.allclose(learned, [START] * 30)
    flight.show(right(0, 0.5 * USUAL))
    flight.show()
    assert len(learned) == 30
    flight.matcher.sights = [right(0, USUAL)]
    flight.follower.track(frame_at(flight.number + 1))
    assert len(learned) == 30


@pytest.mark.parametrize(("side", "found"), [(0.45, False), (0.55, True), (1.9, True), (2.1, False)])
def test_what_is_much_larger_or_smaller_than_the_target_was_is_not_taken(side: float, found: bool) -> None:
    flight = flying()
    there = Box(520.0, 190.0, START.width * side, START.height * side)
    assert (until_found(flight, (there, USUAL)) is not None) == found


@pytest.mark.parametrize("again", ["auto", "confirm"])
def test_what_left_slowly_over_the_border_is_known_as_large_as_it_was(again: str) -> None:
    """Its box shrinks with what is seen of it, and a sliver is waited for."""
    config = config_of(**PLAIN)
    flight = Flight(replace(config, search=replace(config.search, again=again)))
    flight.show(right(0, USUAL), frames=30)
    for left in np.arange(START.x, -START.width, -4.0):
        seen = min(START.width, START.width + left)
        flight.show((Box(max(left, 0.0), START.y, seen, START.height), USUAL) if seen > 3 else (AWAY_BOX, 0.0))
    assert flight.follower.state is not None
    assert flight.follower.state.presence.place.width < START.width / 4
    shown = [flight.show(right(100, USUAL)).lead for _ in range(TOUR)]
    leads = [lead for lead in shown if lead is not None]
    assert flight.answer.found == (again == "auto")
    assert leads[-1].box == pytest.approx(right(100, USUAL)[0])


@pytest.mark.parametrize("again", ["auto", "confirm"])
def test_what_comes_in_where_the_camera_turned_away_from_it_is_shown_to_the_operator(
    monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    """It is looked for there, at the border, and nowhere else; what is beside its place the operator is shown."""
    flight = flying(again=again)
    assert flight.follower.state is not None
    monkeypatch.setattr(flight.follower.state.whereabouts, "is_left_behind", lambda *_: True)
    flight.show(frames=TOUR)
    assert not any(flight.matcher.elsewhere[-TOUR:])
    assert until_found(flight, right(200, USUAL)) is None
    assert until_found(flight, right(50, USUAL)) is None
    assert (flight.answer.lead is not None) == (again == "confirm")


def test_what_is_seen_for_too_short_a_time_is_not_taken() -> None:
    flight = flying()
    for _ in range(TOUR):
        lead = flight.answer.lead
        flight.show(*([right(200, USUAL)] if lead is None or lead.times < ENOUGH - 1 else []))
        assert not flight.answer.found


def test_what_comes_out_beside_its_place_is_found_at_once_whatever_else_is_looked_at() -> None:
    """A lead that leads nowhere takes no frame from it."""
    flight = flying()
    flight.show(frames=12)
    for _ in range(TOUR):
        flight.show(right(250, 0.5 * USUAL))
        if flight.answer.lead is not None:
            break
    assert flight.answer.lead is not None
    assert until_found(flight, right(45, USUAL), frames=ENOUGH) == ENOUGH
    assert flight.answer.box.x == pytest.approx(START.x + 45, abs=0.5)


def test_what_was_taken_for_a_distractor_and_scores_as_the_target_is_found() -> None:
    flight = flying()
    flight.show(right(45, 0.5 * USUAL), frames=3)  # as the target goes: it has not come from its place
    assert flight.follower.state is not None
    assert flight.follower.state.presence.distractors.known
    flight.show(right(45, 0.5 * USUAL), frames=12)
    assert until_found(flight, right(45, USUAL), frames=ENOUGH) is not None


def test_a_known_distractor_is_not_taken() -> None:
    beside = 60.0
    config = config_of(**PLAIN)
    for share, found in ((0.95, False), (0.0, True)):
        presence = replace(config.presence, distractor_share=share, far_share=0.8)
        flight = Flight(replace(config, presence=presence))
        flight.show(right(0, USUAL), right(beside, 0.85 * USUAL), frames=30)
        assert (until_found(flight, right(beside, 0.85 * USUAL), frames=12) is not None) == found


def test_it_is_looked_for_as_well_while_it_is_seen_badly() -> None:
    """What is followed then may be something else."""
    flight = Flight(config_of(**PLAIN))
    flight.show(right(0, USUAL), frames=30)
    poor = 0.4 * USUAL
    flight.show(right(0, poor), frames=flight.follower.config.presence.coast_frames + 1)
    assert flight.answer.found
    assert not any(flight.matcher.elsewhere)
    for _ in range(TOUR):
        answer = flight.show(right(0, poor), right(200, USUAL))
        if answer.box.x > START.x + 100:
            break
    assert answer.box.x == pytest.approx(START.x + 200, abs=1.0)
    trusted = USUAL * (1 - flight.follower.config.presence.far_share / 2)
    assert flight.matcher.remembered[-1].evidence.score == pytest.approx(trusted, abs=0.02)


def test_off_it_is_only_waited_for() -> None:
    flight = flying(again="off")
    assert until_found(flight, right(200, USUAL)) is None
    assert not any(flight.matcher.elsewhere)
    assert flight.answer.lead is None


def test_the_mode_can_be_changed_while_it_is_away() -> None:
    flight = flying(again="off")
    flight.follower.reconfigure(with_changes(flight.follower.config, {"search.again": "auto"}))
    assert until_found(flight, right(200, USUAL)) is not None


def test_a_mask_elsewhere_is_answered_once_it_is_the_target() -> None:
    flight = flying(MaskingMatcher())
    for _ in range(TOUR):
        answer = flight.show(right(200, USUAL))
        assert answer.mask is not None
        assert answer.mask.any() == answer.found
        if answer.found:
            break
    assert answer.found
    assert answer.mask[200:230, 500:540].all()


def test_where_nothing_is_looked_for_any_more_there_is_no_lead() -> None:
    flight = flying(again="confirm")
    flight.show(right(200, USUAL), frames=TOUR)
    assert flight.answer.lead is not None
    flight.follower.reconfigure(with_changes(flight.follower.config, {"search.again": "off"}))
    assert flight.show(right(200, USUAL)).lead is None


class TestConfirm:
    """The operator has the last word."""

    def test_what_looks_like_the_target_is_named_and_not_followed(self) -> None:
        flight = flying(again="confirm")
        there = right(200, USUAL)
        assert until_found(flight, there) is None
        lead = flight.answer.lead
        assert lead is not None
        assert lead.box == pytest.approx(there[0])
        assert lead.score == pytest.approx(USUAL)
        assert lead.frames >= 15
        assert lead.times >= ENOUGH
        assert flight.answer.box.center == pytest.approx(START.center, abs=1.0)  # what waits stays where it is

    @pytest.mark.parametrize("mode", ["auto", "confirm", "off"])
    def test_from_where_the_operator_says_it_is_followed(self, mode: str) -> None:
        flight = flying(again=mode)
        there, score = right(200, 0.75 * USUAL)
        flight.show((there, score), frames=4)
        known = len(flight.matcher.remembered)
        flight.follower.confirm(there)
        answer = flight.show((there, score))
        assert (answer.found, answer.expected, answer.lead) == (True, there, None)
        assert answer.score == pytest.approx(score)
        assert len(flight.matcher.remembered) == known + 1
        assert flight.matcher.calls.count("start") == 1

    def test_the_frame_before_teaches_nothing(self) -> None:
        flight = flying()
        flight.matcher.sights = [right(0, USUAL)]
        assert flight.follower.track(frame_at(flight.number + 1)).found
        known = len(flight.matcher.remembered)
        flight.follower.confirm(START)
        flight.follower.memorize()
        assert len(flight.matcher.remembered) == known

    def test_there_must_be_a_target(self) -> None:
        with pytest.raises(NotInitialisedError, match="init"):
            Follower(Flight(FollowingConfig()).matcher, FollowingConfig()).confirm(START)


@pytest.mark.parametrize(("again", "moves"), [("auto", True), ("confirm", True), ("off", False)])
def test_of_what_is_away_for_long_the_best_one_is_waited_for_and_found_as_a_lead_alone(again: str, moves: bool) -> None:
    flight = flying(again=again)
    flight.show(frames=80)
    poor = right(25, 0.5 * USUAL)
    assert not flight.show(poor).found
    assert (flight.show(poor).expected.center == pytest.approx(poor[0].center)) == moves
    if again == "auto":
        assert not flight.show(right(25, 0.8 * USUAL)).found
        assert until_found(flight, right(25, USUAL), frames=6) is not None


@pytest.mark.parametrize("x", [START.x, -100.0])
def test_nothing_is_supposed_for_a_place_outside_of_the_image_or_where_the_tracker_has_guesses_itself(x: float) -> None:
    flight = flying()
    flight.show(frames=80)
    assert flight.follower.state is not None
    presence = flight.follower.state.presence
    presence.wait_at(START._replace(x=x))
    flight.matcher.peaks = ((340.0, 225.0),) if x == START.x else ()
    flight.show((START._replace(x=max(x, 0.0) + 5.0), 0.5 * USUAL))
    assert (presence.place.x, presence.is_supposed) == (pytest.approx(x), False)
