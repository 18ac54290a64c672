"""A target that is not found is waited for: where it was going, where a matcher guesses it, outside of the image."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scripted_matcher import START, Flight, MaskingMatcher, OutliningMatcher, config_of, right

from stm_tracker_ros.following.config import FOLLOW_BEST, PresenceConfig, PriorConfig, SizeConfig

pytestmark = pytest.mark.pure

JUDGING = config_of(prior=PriorConfig(window=0.35, penalty=0.0), size=SizeConfig(rate=1.0, filtered=False))
GATED = config_of(presence=replace(FOLLOW_BEST, least_score=0.5), prior=PriorConfig(window=0.0, penalty=0.0))


def test_a_hidden_target_is_waited_for_where_it_was_going_and_nothing_is_remembered_of_it() -> None:
    flight = Flight(JUDGING)
    for frame in range(1, 21):
        flight.show(right(2 * frame, 1.0))
    known = len(flight.matcher.remembered)
    for _ in range(40):  # what is seen, and not believed in, stays behind
        answer = flight.show(right(40, 0.05))
        assert (answer.found, answer.candidates) == (False, ())
    assert START.x + 48 < answer.box.x < START.x + 60
    assert len(flight.matcher.remembered) == known
    assert flight.show(right(40, 1.0)).box.x == pytest.approx(START.x + 40, abs=0.5)


def test_it_keeps_its_size_while_it_is_waited_for() -> None:
    flight = Flight(JUDGING)
    flight.show(right(0, 0.6), frames=20)
    assert flight.show(frames=30).box[2:] == pytest.approx(START[2:])


def test_the_score_of_a_frame_without_it_is_what_its_place_scores() -> None:
    flight = Flight(JUDGING)
    flight.show(right(0, 0.6), frames=30)
    answer = flight.show(right(0, 0.1), right(48, 0.3))
    assert not answer.found
    assert answer.score == pytest.approx(0.1)


class TestGuesses:
    """A matcher may know where to look next (`Candidates.peaks`)."""

    def test_the_best_of_them_is_the_next_place_while_the_target_is_not_found(self) -> None:
        flight = Flight(GATED)
        flight.matcher.peaks = ((340.0, 225.0), (100.0, 100.0))
        answer = flight.show()
        assert (answer.found, answer.expected) == (False, START)
        assert answer.box.center == pytest.approx((340.0, 225.0))
        assert answer.box[2:] == START[2:]
        flight.matcher.peaks = ()
        assert flight.show().expected.center == pytest.approx((340.0, 225.0))

    def test_they_do_not_count_where_it_is_found(self) -> None:
        flight = Flight(GATED)
        flight.matcher.peaks = ((340.0, 225.0),)
        assert flight.show(right(0, 0.6)).box == pytest.approx(START)
        assert flight.show(right(0, 0.6)).expected == pytest.approx(START)

    def test_without_any_the_place_stays(self) -> None:
        flight = Flight(GATED)
        flight.show(frames=11)
        assert flight.answer.expected == START

    def test_one_outside_of_the_image_is_brought_in(self) -> None:
        flight = Flight(GATED)
        flight.matcher.peaks = ((-50.0, 700.0),)
        assert flight.show().box.center == pytest.approx((0.0, 480.0))


JUDGED = config_of(presence=PresenceConfig(least_score=0.5, distractor_share=0.0), prior=PriorConfig(window=0.0))


class TestMasksInTheWrongPlace:
    """A mask that scores well enough and is not where the target must be is another object: it is not answered."""

    def test_it_is_neither_shown_nor_scored(self) -> None:
        flight = Flight(JUDGED, MaskingMatcher())
        flight.show(right(0, 0.93), frames=40)
        flight.show()
        for _ in range(6):
            answer = flight.show(right(45, 0.75))
            assert (answer.found, answer.score, answer.rotated) == (False, 0.0, None)
            assert answer.box == pytest.approx(START)
            assert answer.mask is not None
            assert not answer.mask.any()
            assert [seen.score for seen in answer.candidates] == [0.75]

    def test_a_guess_does_not_move_the_place_to_it(self) -> None:
        flight = Flight(JUDGED, MaskingMatcher())
        flight.show(right(0, 0.93), frames=40)
        flight.show()
        flight.matcher.peaks = (right(45, 0)[0].center,)
        assert not any(flight.show(right(45, 0.75)).found for _ in range(6))
        flight.show()  # nothing is seen: now the guess counts
        assert flight.show(right(45, 0.75)).found

    def test_where_the_mask_is_empty_a_guess_counts_however_sure_the_network_is(self) -> None:
        flight = Flight(GATED, MaskingMatcher())
        flight.matcher.empty_score = 0.9  # type: ignore[attr-defined]
        flight.matcher.peaks = ((340.0, 225.0),)
        assert not flight.show().found
        assert flight.show().expected.center == pytest.approx((340.0, 225.0))

    def test_one_that_scores_too_little_is_shown(self) -> None:
        """Wherever it is: nobody takes it for the target."""
        for x in (12, 45):
            answer = Flight(JUDGED, MaskingMatcher()).show(right(x, 0.3))
            assert (answer.found, answer.score) == (False, pytest.approx(0.3))
            assert answer.mask is not None
            assert answer.mask.any()


class TestMasks:
    """The answer is the mask's box as it is; followed is the target's, with place and size of its own."""

    def test_place_and_size_stay_under_the_least_score(self) -> None:
        flight = Flight(GATED, MaskingMatcher())
        missed = flight.show(right(12, 0.45))
        assert (missed.found, missed.expected) == (False, START)
        assert missed.box == pytest.approx(right(12, 0)[0])  # that is where the mask is
        assert [(one.box, one.score) for one in missed.candidates] == [(pytest.approx(missed.box), 0.45)]
        seen = flight.show(right(12, 0.55))
        assert (seen.found, seen.expected) == (True, START)
        assert [(one.box, one.score) for one in seen.candidates] == [(pytest.approx(seen.box), 0.55)]
        assert flight.show(right(12, 0.55)).expected.center == pytest.approx(right(12, 0)[0].center)

    def test_of_an_empty_mask_the_answer_is_the_box_that_is_waited_at(self) -> None:
        flight = Flight(GATED, MaskingMatcher())
        answer = flight.show()
        assert (answer.found, answer.box, answer.rotated, answer.candidates) == (False, START, None, ())
        assert answer.mask is not None
        assert not answer.mask.any()

    def test_mask_and_rotated_box_are_the_matchers(self) -> None:
        answer = Flight(GATED, MaskingMatcher()).show(right(12, 0.9))
        assert answer.mask is not None
        assert answer.mask[200:230, 312:352].all()
        assert answer.mask.astype(bool).sum() == 1200
        assert answer.rotated == (332.0, 215.0, 40.0, 30.0, 0.0)


class TestOutlines:
    """Of matchers that can give each candidate a mask: that of the target, which has its box from the candidate."""

    def test_only_the_targets_is_asked_for(self) -> None:
        flight = Flight(JUDGED, OutliningMatcher())
        answer = flight.show(right(3, 0.9), right(60, 0.8))
        assert answer.found
        assert flight.matcher.outlined == [int(flight.matcher.seen(flight.look).scores.argmax())]  # type: ignore[attr-defined]
        assert (answer.mask > 0).sum() == 40 * 30
        assert answer.mask[200:230, 303:343].all()
        assert answer.rotated == pytest.approx((323.0, 215.0, 40.0, 30.0, 0.0))
        assert answer.box.center == pytest.approx((323.0, 215.0))

    def test_where_nothing_is_found_the_mask_is_empty(self) -> None:
        flight = Flight(JUDGED, OutliningMatcher())
        answer = flight.show(right(3, 0.3))
        assert (answer.found, answer.rotated) == (False, None)
        assert (answer.mask.shape, answer.mask.any()) == ((480, 640), False)
        assert flight.matcher.outlined == []  # type: ignore[attr-defined]
