"""The probability that an answer is right: its formula, what is refused, and that nothing but the score hangs on it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scripted_matcher import START, ScriptedMatcher, config_of, frame_at, right

from stm_tracker_ros.core.boxes import iou
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.core.types import Result, Target
from stm_tracker_ros.following.calibration import Calibration, Sight, as_scored, logistic
from stm_tracker_ros.following.candidates import SAME_OBJECT
from stm_tracker_ros.following.follower import Follower
from stm_tracker_ros.following.presence import PATIENCE_FRAMES

pytestmark = pytest.mark.pure

MADE = Calibration(bias=-2.0, weights={"unseen": -0.5, "rival": -0.3, "score": 4.0})


class TestFormula:
    """A logistic regression, whatever the order of its weights."""

    @pytest.mark.parametrize("sight", [Sight(0.7, 0.0, 0.6), Sight(0.1, 3.0, 0.9), Sight(0.5, 100.0, 0.2)])
    def test_it_is_a_logistic_regression(self, sight: Sight) -> None:
        own, its = (math.log(share / (1 - share)) for share in (sight.score, sight.rival))
        value = -2.0 + 4.0 * own - 0.5 * math.log(1 + sight.unseen) - 0.3 * its
        assert MADE.probability(sight) == pytest.approx(1 / (1 + math.exp(-value)), abs=1e-12)

    def test_many_at_once_are_the_same_as_one_by_one(self) -> None:
        sights = np.random.default_rng(3).random((20, len(Sight._fields)))
        one_by_one = [MADE.probability(Sight(*row)) for row in sights.tolist()]
        assert MADE.of_many(sights) == pytest.approx(one_by_one, abs=1e-12)

    def test_what_is_far_off_is_sure_and_no_overflow(self) -> None:
        assert logistic(np.array([-1e5, 0.0, 1e5])).tolist() == [0.0, 0.5, 1.0]

    def test_scores_are_cut_to_shares(self) -> None:
        assert (Sight.of(1.3, 0, -0.2), Sight.of(-0.1, 9, 1.1)) == ((1.0, 0.0, 0.0), (0.0, 9.0, 1.0))

    def test_a_score_of_nothing_or_all_has_odds(self) -> None:
        low, least, most, high = (MADE.probability(Sight(score, 0.0, 0.0)) for score in (0.0, 1e-3, 1 - 1e-3, 1.0))
        assert 0 < low == least < 0.01
        assert 0.99 < most == high < 1

    def test_without_a_calibration_it_is_the_score(self) -> None:
        assert as_scored(Sight(0.3, 2.0, 0.1)) == 0.3


class TestContent:
    """What a checkpoint keeps of it."""

    def test_it_is_the_same_after_a_round_trip(self) -> None:
        assert Calibration.of(MADE.content) == MADE

    def test_one_of_before_rivals_counted_says_what_it_said(self) -> None:
        before = Calibration.of({"bias": -2.0, "weights": {"score": 4.0, "unseen": -0.5}})
        assert before.probability(Sight(0.7, 3.0, 0.9)) == before.probability(Sight(0.7, 3.0, 0.0))

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ({"bias": 0.0, "weights": {"score": 1.0}}, "needed are score, unseen, rival"),
            ({"bias": 0.0, "weights": {"score": 1.0, "unseen": 0.0, "luck": 1.0}}, "luck"),
            ({"bias": math.nan, "weights": MADE.weights}, "not all finite"),
            ({"bias": 0.0, "weights": {**MADE.weights, "score": math.inf}}, "not all finite"),
            ({"bias": 0.0}, "weights"),
            ({"bias": "much", "weights": {}}, "much"),
            ({"bias": 0.0, "weights": [1, 2, 3]}, "no bias and weights"),
            ([], "no bias and weights"),
            (None, "no bias and weights"),
        ],
    )
    def test_anything_else_is_refused(self, content: Any, words: str) -> None:
        with pytest.raises(ConfigError, match=words):
            Calibration.of(content)


def begun(calibration: Calibration | None) -> tuple[ScriptedMatcher, Follower]:
    """A target that was just named in the first frame."""
    matcher = ScriptedMatcher()
    follower = Follower(matcher, config_of(), calibration)
    matcher.sights = [(START, 1.0)]
    follower.init(frame_at(1), Target(box=START))
    return matcher, follower


def flown(calibration: Calibration | None) -> tuple[list[Result], ScriptedMatcher]:
    """A target that is seen, gone, and seen again elsewhere, with another one beside it."""
    matcher, follower = begun(calibration)
    answers = []
    for number in range(2, 80):
        gone = 20 <= number < 45
        matcher.sights = [right(150, 0.4)] if gone else [right(0.5 * number, 0.8), right(150, 0.4)]
        answers.append(follower.track(frame_at(number)))
        follower.memorize()
    return answers, matcher


def followed_beside(score: float, confirmed: bool = False) -> list[Result]:
    """A target in its second frame, with another object of that score beside it, and in the next ones, without.

    confirmed: the operator says after the second frame that it is the one.
    """
    matcher, follower = begun(MADE)
    answers = []
    for number in range(2, 10):
        matcher.sights = [right(1, 0.8), right(50, score if number == 2 else 0.0)]
        answers.append(follower.track(frame_at(number)))
        if confirmed and number == 2:
            follower.confirm(answers[-1].box)
    return answers


class TestFollower:
    """Only what is answered as score is calibrated."""

    def test_the_score_is_the_probability_of_what_is_known(self) -> None:
        plain, _ = flown(None)
        calibrated, _ = flown(MADE)
        unseen, rival = 0, 0.0
        for raw, answer in zip(plain, calibrated, strict=True):
            unseen = 0 if raw.found else unseen + 1
            beside = [one.score for one in raw.candidates if raw.found and iou(one.box, raw.box) < SAME_OBJECT]
            rival = max(*beside, rival * math.exp(-1 / PATIENCE_FRAMES), 0.0)
            assert answer.score == pytest.approx(MADE.probability(Sight.of(raw.score, unseen, rival)))
        assert {answer.found for answer in plain} == {True, False}

    def test_it_is_less_sure_beside_another_that_looks_like_it_and_for_a_while_after(self) -> None:
        alone, beside = (followed_beside(score) for score in (0.0, 0.7))
        assert all(answer.found for answer in alone + beside)
        assert [answer.box for answer in alone] == [answer.box for answer in beside]
        drops = [before.score - after.score for before, after in zip(alone, beside, strict=True)]
        assert min(drops) == drops[-1] > 0
        assert drops == sorted(drops, reverse=True)

    def test_what_the_operator_confirms_has_no_rival(self) -> None:
        alone, beside = (followed_beside(score, confirmed=True) for score in (0.0, 0.7))
        assert beside[0].score < alone[0].score
        assert [answer.score for answer in beside[1:]] == [answer.score for answer in alone[1:]]

    def test_boxes_and_memory_are_the_same_to_the_last_bit(self) -> None:
        plain, without = flown(None)
        calibrated, with_one = flown(MADE)
        for field in ("box", "found", "expected", "region", "candidates"):
            assert [getattr(one, field) for one in plain] == [getattr(one, field) for one in calibrated]
        assert without.remembered == with_one.remembered
        assert without.settled == with_one.settled
