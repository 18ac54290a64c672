"""What the following stage asks of a matcher and when, what it answers, and that what was missed is never learned."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scripted_matcher import START, Flight, MaskingMatcher, ScriptedMatcher, config_of, frame_at, right

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.errors import ConfigError, NotInitialisedError, TargetError
from stm_tracker_ros.core.types import Box, Target
from stm_tracker_ros.following.config import FOLLOW_BEST, FollowingConfig, PresenceConfig, PriorConfig, SizeConfig
from stm_tracker_ros.following.follower import Follower

pytestmark = pytest.mark.pure

SIDE = 3.5 * 1200**0.5  # of the usual region about START
TRUSTING = config_of(presence=FOLLOW_BEST)
AT_ONCE = replace(TRUSTING, size=SizeConfig(rate=1.0, filtered=False), prior=PriorConfig(window=0.35, penalty=0.0))


@dataclass(frozen=True, kw_only=True)
class Strict(FollowingConfig):
    """One that has no window, whatever is set for it."""

    @property
    def rules(self) -> Strict:
        return replace(self, prior=replace(self.prior, window=0.0))


class TestOrder:
    """The matcher is started, asked, told the answer and, after it is out, given it to learn from."""

    def test_every_frame_is_matched_settled_and_remembered(self) -> None:
        flight = Flight(TRUSTING)
        flight.show(right(4, 0.6), frames=2)
        assert flight.matcher.calls == ["start", *["match", "settle", "remember"] * 2]
        assert [one.number for one in flight.matcher.remembered] == [2, 3]

    def test_the_first_frame_is_the_matchers_own_to_remember(self) -> None:
        flight = Flight(TRUSTING)
        flight.follower.memorize()
        assert flight.matcher.calls == ["start"]

    def test_a_frame_is_remembered_once_however_often_that_is_asked_for(self) -> None:
        flight = Flight(TRUSTING)
        flight.show(right(4, 0.6))
        flight.follower.memorize()
        assert len(flight.matcher.remembered) == 1

    def test_nothing_is_remembered_before_the_answer_is_out(self) -> None:
        flight = Flight(TRUSTING)
        flight.follower.track(frame_at(2))
        flight.follower.track(frame_at(3))
        assert flight.matcher.remembered == []
        flight.follower.memorize()
        assert [one.number for one in flight.matcher.remembered] == [3]

    def test_before_init_there_is_no_target(self) -> None:
        follower = Follower(ScriptedMatcher(), TRUSTING)
        with pytest.raises(NotInitialisedError, match="init"):
            follower.track(frame_at(2))
        with pytest.raises(NotInitialisedError, match="init"):
            follower.memorize()

    def test_a_target_outside_the_image_starts_nothing(self) -> None:
        matcher = ScriptedMatcher()
        with pytest.raises(TargetError, match="640 x 480"):
            Follower(matcher, TRUSTING).init(frame_at(1), Target(box=Box(700, 10, 20, 20)))
        assert matcher.calls == []

    def test_init_forgets_everything_before(self) -> None:
        flight, fresh = Flight(config_of()), Flight(config_of())
        flight.show(right(30, 0.2), frames=5)
        flight.follower.init(frame_at(1), Target(box=START))
        flight.number = 1
        for sight in (right(3, 0.6), right(9, 0.1), right(50, 0.4)):
            assert flight.show(sight) == fresh.show(sight)


class TestWhatIsToldToTheMatcher:
    def test_the_first_look_lies_about_the_target(self) -> None:
        look = Flight(TRUSTING).look
        assert (look.number, look.expected, look.search_factor) == (1, START, 1.0)
        assert look.crop.region(128) == pytest.approx((320 - SIDE / 2, 215 - SIDE / 2, SIDE, SIDE))
        assert look.patch.shape == (128, 128, 3)

    def test_what_lies_outside_the_image_has_the_mean_colour_of_the_first_crop(self) -> None:
        flight = Flight(TRUSTING, start=Box(0.0, 0.0, 40.0, 30.0))
        assert flight.look.patch[0, 0] == pytest.approx(np.array(flight.look.fill), abs=0.51)

    def test_the_chosen_candidate_and_its_rank(self) -> None:
        flight = Flight(replace(AT_ONCE, prior=PriorConfig(window=0.25, penalty=0.0)))
        flight.show((START, 0.6))
        middle = 24  # of 7 x 7 cells
        assert flight.matcher.settled == [(middle, pytest.approx(0.75 * 0.6 + 0.25))]

    def test_in_a_frame_without_the_target_none_is_chosen_and_the_best_ranks_nevertheless(self) -> None:
        flight = Flight(config_of(presence=replace(FOLLOW_BEST, least_score=0.5), prior=PriorConfig(window=0.0)))
        flight.show(right(0, 0.4))
        assert flight.matcher.settled == [(None, pytest.approx(0.4, abs=0.01))]

    def test_the_box_to_remember_is_the_followed_one_not_the_candidates(self) -> None:
        flight = Flight(replace(AT_ONCE, size=SizeConfig(rate=0.5, filtered=False)))
        flight.show((Box(290.0, 192.5, 60.0, 45.0), 0.6))
        (told,) = flight.matcher.remembered
        assert told.chosen == pytest.approx((290.0, 192.5, 60.0, 45.0))
        assert told.box == flight.answer.box == pytest.approx((297.0, 197.75, 46.0, 34.5))

    def test_the_evidence_is_the_trusted_score_and_its_share_of_the_usual_one(self) -> None:
        flight = Flight(TRUSTING)
        flight.show((START, 0.8), frames=200)
        flight.matcher.trust = 0.5
        answer = flight.show((START, 0.8))
        evidence = flight.matcher.remembered[-1].evidence
        assert (answer.score, evidence.score) == pytest.approx((0.4, 0.4))
        assert evidence.share_of_usual == pytest.approx(0.5, abs=0.01)


class TestTime:
    """Frames are numbered by their stamps, one a nominal frame period, and always rise."""

    def test_dropped_frames_are_counted(self) -> None:
        flight = Flight(TRUSTING)
        flight.show(right(0, 0.6), elapsed=29)
        assert flight.look.number == 30

    def test_jitter_of_the_stamps_does_not_count(self) -> None:
        flight = Flight(TRUSTING)
        numbers = []
        for elapsed in (1.2, 0.7, 1.3, 0.8):
            flight.show(right(0, 0.6), elapsed=elapsed)
            numbers.append(flight.look.number)
        assert numbers == [2, 3, 4, 5]

    @pytest.mark.parametrize("stamp", [5.0, 4.0, -100.0])
    def test_a_stamp_that_stands_still_or_goes_back_is_the_next_frame(self, stamp: float) -> None:
        flight = Flight(TRUSTING)
        flight.show(right(0, 0.6), elapsed=4)
        flight.follower.track(frame_at(stamp))
        assert flight.look.number == 6

    def test_a_fast_camera_does_not_make_time_pass_faster(self) -> None:
        flight = Flight(TRUSTING)
        for _ in range(20):
            flight.show(right(0, 0.6), elapsed=0.5)
        assert flight.follower.state is not None
        assert flight.follower.state.presence.number == pytest.approx(11)
        assert flight.look.number == 11

    def test_a_target_that_is_away_is_so_by_the_clock(self) -> None:
        flight = Flight(config_of())
        flight.show(right(0, 0.6))
        for _ in range(4):
            flight.show(elapsed=0.25)
        assert flight.follower.state is not None
        assert flight.follower.state.presence.unseen == pytest.approx(1.0)

    @pytest.mark.parametrize("rate_hz", [30, 60, 240])
    def test_what_slowly_covers_it_is_not_learned_as_usual_by_a_fast_camera(self, rate_hz: int) -> None:
        """The score falls from .8 to .1 in a second."""
        flight, elapsed = Flight(config_of()), 30 / rate_hz
        found = [flight.show(right(0, 0.8), elapsed=elapsed).found for _ in range(2 * rate_hz)]
        assert all(found)
        for index in range(1, rate_hz + 1):
            flight.show(right(0, 0.8 - 0.7 * index / rate_hz), elapsed=elapsed)
        assert not flight.show(right(0, 0.1), elapsed=elapsed, frames=rate_hz // 10).found

    def test_a_confirmed_target_is_beyond_doubt_even_if_it_was_followed(self) -> None:
        flight = Flight(config_of())
        flight.show(right(0, 0.8), frames=20)
        flight.follower.confirm(right(5, 0.8)[0])
        assert flight.show(right(5, 0.8)).score == pytest.approx(0.8)

    @pytest.mark.parametrize("rate_hz", [1, 1.5, 3, 30])
    def test_a_slow_camera_finds_it_elsewhere_too(self, rate_hz: float) -> None:
        flight, elapsed = Flight(config_of()), 30 / rate_hz
        flight.show(right(0, 0.8), frames=20, elapsed=elapsed)
        flight.show(frames=4, elapsed=elapsed)
        assert flight.show(right(180, 0.8), frames=60, elapsed=elapsed).found


class TestAnswer:
    def test_it_says_where_was_looked_and_what_was_seen(self) -> None:
        answer = Flight(AT_ONCE).show(right(8, 1.0))
        assert answer.found
        assert answer.expected == START
        assert answer.region == pytest.approx((320 - SIDE / 2, 215 - SIDE / 2, SIDE, SIDE))
        assert [seen.box for seen in answer.candidates] == [pytest.approx(answer.box)]
        assert answer.candidates[0].score == 1.0
        assert (answer.mask, answer.rotated) == (None, None)

    def test_the_answer_of_init_is_the_target_itself(self) -> None:
        answer = Flight(TRUSTING).answer
        assert (answer.box, answer.score, answer.found) == (START, 1.0, True)
        assert (answer.expected, answer.region, answer.candidates) == (None, None, ())

    def test_what_else_looks_like_the_target_is_named(self) -> None:
        config = replace(AT_ONCE, prior=PriorConfig(window=0.9, penalty=0.0))
        answer = Flight(config).show(right(0, 0.5), right(45, 0.7))
        assert [seen.score for seen in answer.candidates] == [0.7, 0.5]
        assert [seen.box.x for seen in answer.candidates] == pytest.approx([START.x + 45, START.x])
        assert answer.box.x == pytest.approx(START.x)

    def test_what_looks_like_the_target_and_is_not_taken_for_it_is_named_too(self) -> None:
        config = config_of(presence=replace(FOLLOW_BEST, least_score=0.5))
        answer = Flight(config).show(right(20, 0.4))
        assert not answer.found
        assert [seen.box for seen in answer.candidates] == [pytest.approx(right(20, 0.4)[0])]

    def test_the_score_is_a_share_whatever_the_network_says(self) -> None:
        assert Flight(TRUSTING).show((START, 1.3)).score == 1.0

    def test_no_side_gets_smaller_than_two_pixels(self) -> None:
        answer = Flight(AT_ONCE, start=Box(300.0, 200.0, 4.0, 4.0)).show((Box(302.0, 201.0, 1.0, 1.0), 1.0))
        assert (answer.box.width, answer.box.height) == (2, 2)
        assert answer.box.center == pytest.approx((302.5, 201.5))

    def test_the_box_is_never_larger_than_the_image_and_its_centre_in_it(self) -> None:
        flight = Flight(AT_ONCE, start=Box(600.0, 200.0, 40.0, 30.0))
        flight.show((Box(630.0, 200.0, 40.0, 30.0), 1.0))
        assert flight.answer.box.center == pytest.approx((640.0, 215.0))
        flight = Flight(AT_ONCE)
        flight.show((Box(-200.0, -200.0, 1040.0, 830.0), 1.0))
        assert flight.answer.box == pytest.approx((0.0, -25.0, 640.0, 480.0))


class TestNothingMissedIsRemembered:
    """Whatever is set: a matcher is given a frame to learn from only if the target was found in it."""

    def test_a_missed_frame_is_settled_and_not_remembered(self) -> None:
        flight = Flight(config_of())
        flight.show(right(0, 0.6), frames=30)
        known = len(flight.matcher.remembered)
        answer = flight.show(right(45, 0.3), frames=5)
        assert not answer.found
        assert flight.matcher.calls[-1] == "settle"
        assert len(flight.matcher.remembered) == known == 30

    def test_a_miss_makes_the_frame_before_it_no_more_to_be_remembered(self) -> None:
        flight = Flight(config_of())
        flight.show(right(0, 0.6), frames=30)
        known = len(flight.matcher.remembered)
        flight.matcher.sights = [right(0, 0.6)]
        flight.follower.track(frame_at(32))
        flight.matcher.sights = []
        flight.follower.track(frame_at(33))
        flight.follower.memorize()
        assert len(flight.matcher.remembered) == known

    @pytest.mark.parametrize("least_score", [0.0, 0.2])
    def test_an_empty_mask_is_never_the_target(self, least_score: float) -> None:
        """The network may well be sure that nothing is there; with these settings any score is enough."""
        matcher = MaskingMatcher()
        matcher.empty_score = 0.25
        flight = Flight(config_of(presence=replace(FOLLOW_BEST, least_score=least_score)), matcher)
        assert flight.show(right(4, 0.6)).found
        answer = flight.show()
        assert (answer.found, answer.rotated, answer.candidates) == (False, None, ())
        assert matcher.settled[-1][0] is None
        assert len(matcher.remembered) == 1


class TestLiveSettings:
    def test_the_matcher_is_told_and_only_what_is_live_is_taken_over(self) -> None:
        flight = Flight(config_of())
        wanted = with_changes(config_of(), {"prior.window": 0.9, "search.scale": 6.0})
        flight.follower.reconfigure(wanted)
        assert flight.follower.config == with_changes(config_of(), {"prior.window": 0.9})
        assert flight.matcher.configs == [flight.follower.config]
        assert flight.show(right(4, 0.6)).found

    def test_another_configuration_is_refused_and_nothing_told(self) -> None:
        flight = Flight(config_of())
        with pytest.raises(ConfigError, match="is a PresenceConfig; allowed is a FollowingConfig"):
            flight.follower.reconfigure(PresenceConfig())  # type: ignore[arg-type]
        assert flight.matcher.configs == []

    def test_what_a_setting_makes_of_others_stays_in_force(self) -> None:
        """Whatever live values are given for those others, and given again."""
        flight = Flight(Strict())
        for penalty in (0.2, 0.3):
            flight.follower.reconfigure(replace(Strict(), prior=PriorConfig(window=0.9, penalty=penalty)))
            assert flight.follower.config.prior == PriorConfig(window=0.0, penalty=penalty)
            assert flight.matcher.configs[-1] == flight.follower.config

    def test_they_may_be_given_before_there_is_a_target(self) -> None:
        matcher, config = ScriptedMatcher(), config_of()
        follower = Follower(matcher, config)
        follower.reconfigure(with_changes(config, {"search.again": "off"}))
        follower.init(frame_at(1), Target(box=START))
        for number in range(2, 70):
            matcher.sights = [right(0, 0.6)] if number < 40 else []
            follower.track(frame_at(number))
        assert not any(matcher.elsewhere)
