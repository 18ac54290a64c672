"""What is found after a jump may be another that looks like the target: the last good picture says if there was one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scripted_matcher import START, Flight, config_of, frame_at, right

from stm_tracker_ros.core.types import Box
from stm_tracker_ros.following.camera_motion import CameraMotion
from stm_tracker_ros.following.colours import Colours
from stm_tracker_ros.following.config import PriorConfig, SizeConfig
from stm_tracker_ros.following.lookalikes import DOUBT, FORGOTTEN_FRAMES, Lookalikes
from stm_tracker_ros.following.presence import ORDINARY

pytestmark = pytest.mark.pure

PLAIN = {"prior": PriorConfig(window=0.0, penalty=0.0), "size": SizeConfig(rate=1.0, filtered=False)}
USUAL, SIDE, MOST_LOOKS = 0.6, 120.0, 8
UNKNOWN = 1 / (1 + ORDINARY)
BESIDE = 75.0  # pixels to the right: beyond the look at the target, whose side is 3.5 times its size
LIKE_IT = right(BESIDE, 0.55 * USUAL)
ELSEWHERE = right(-250, USUAL)


class Cutting(Flight):
    """A target that is well seen beside these others; then the camera looks at another place, and says so once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *others: tuple[Box, float], **search: Any) -> None:
        config = config_of(**PLAIN)
        self.cuts = False
        monkeypatch.setattr(CameraMotion, "to", lambda *_: None if self.cuts else (0.0, 0.0))
        monkeypatch.setattr(CameraMotion, "since_kept", lambda *_: None)
        super().__init__(replace(config, search=replace(config.search, camera_motion=True, **search)))
        self.show(right(0, USUAL), *others, frames=30)

    def cut_to(self, *sights: tuple[Box, float]) -> float:
        self.cuts = True
        score = float(self.show(*sights).score)
        self.cuts = False
        return score

    def until_found(self, sight: tuple[Box, float]) -> None:
        assert any(self.show(sight).found for _ in range(60))


class TestAfterACut:
    def test_with_another_beside_it_the_answer_is_doubtful_for_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flight = Cutting(monkeypatch, LIKE_IT)
        assert flight.cut_to(right(0, USUAL)) < 0.6 * USUAL
        assert flight.answer.found
        for frames in (60, 60):
            score = flight.show(right(0, USUAL), frames=frames).score
        assert flight.answer.doubt == DOUBT
        assert score == pytest.approx(USUAL / (1 + ORDINARY * np.exp(-120 / FORGOTTEN_FRAMES)), rel=0.02)

    @pytest.mark.parametrize(("probability", "said"), [(0.96, UNKNOWN), (0.66, UNKNOWN), (0.4, 0.4)])
    def test_a_probability_is_no_higher_than_that_of_its_being_the_target(
        self, probability: float, said: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flight = Cutting(monkeypatch, LIKE_IT)
        flight.follower.probability = lambda sight: probability
        assert flight.show(right(0, USUAL)).score == pytest.approx(probability)
        assert flight.cut_to(right(0, USUAL)) == pytest.approx(said)

    def test_with_none_only_until_all_around_has_been_looked_at(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flight = Cutting(monkeypatch)
        score = flight.cut_to(right(0, USUAL))
        assert flight.show(right(0, USUAL), frames=MOST_LOOKS - 1).score == pytest.approx(score, rel=0.2)
        assert flight.show(right(0, USUAL)).score == pytest.approx(score / UNKNOWN, rel=0.2)

    def test_why_it_is_doubted_is_said_once_it_is_known_and_for_as_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flight = Cutting(monkeypatch, LIKE_IT)
        said = [flight.answer.doubt]
        flight.cut_to(right(0, USUAL))
        said += [flight.answer.doubt] + [flight.show(right(0, USUAL)).doubt for _ in range(FORGOTTEN_FRAMES)]
        assert said == [""] * 9 + [DOUBT] * (FORGOTTEN_FRAMES - 8) + [""]
        flight = Cutting(monkeypatch)
        flight.cut_to(right(0, USUAL))
        assert {flight.show(right(0, USUAL)).doubt for _ in range(30)} == {""}

    def test_a_target_that_is_not_seen_is_no_other_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flight = Cutting(monkeypatch, LIKE_IT)
        flight.cut_to(right(0, USUAL))
        assert flight.show(right(0, USUAL), frames=20).doubt
        assert not flight.show().doubt

    @pytest.mark.parametrize(
        "other",
        [
            right(10, 0.9 * USUAL),
            right(400, 0.9 * USUAL),
            right(BESIDE, 0.45 * USUAL),
            (Box(START.x + BESIDE - 40, START.y - 30, 120.0, 90.0), 0.9 * USUAL),
        ],
        ids=["overlaps", "far off", "unlike", "larger"],
    )
    def test_what_may_not_be_taken_for_it_is_none(
        self, other: tuple[Box, float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flight = Cutting(monkeypatch, other)
        flight.cut_to(right(0, USUAL))
        assert flight.show(right(0, USUAL), frames=70).score == pytest.approx(USUAL, rel=0.02)

    def test_nor_is_what_has_other_colours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flight = Cutting(monkeypatch, LIKE_IT)
        monkeypatch.setattr(Colours, "likeness", lambda *_: 0.7)
        flight.cut_to(right(0, USUAL))
        assert flight.show(right(0, USUAL), frames=70).score == pytest.approx(USUAL, rel=0.02)

    def test_nor_is_what_the_first_frame_does_not_know(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flight = Cutting(monkeypatch, LIKE_IT)
        flight.matcher.anchor = 0.45 * USUAL
        flight.cut_to(right(0, USUAL))
        assert flight.show(right(0, USUAL), frames=70).score == pytest.approx(USUAL, rel=0.02)

    @pytest.mark.parametrize("others", [(), (LIKE_IT,)])
    def test_what_is_found_by_search_later_is_doubted_as_well(
        self, others: tuple[tuple[Box, float], ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flight = Cutting(monkeypatch, *others)
        flight.cut_to()
        flight.until_found(ELSEWHERE)
        assert flight.answer.score == pytest.approx(USUAL * UNKNOWN, rel=0.02)
        flight.show(ELSEWHERE, frames=MOST_LOOKS)
        assert flight.answer.score == pytest.approx(USUAL * (UNKNOWN if others else 1.0), rel=0.05)

    def test_the_operator_knows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flight = Cutting(monkeypatch, LIKE_IT)
        flight.cut_to()
        flight.until_found(ELSEWHERE)
        flight.follower.confirm(flight.answer.box)
        assert flight.show(ELSEWHERE).score == pytest.approx(USUAL, rel=0.02)
        assert not flight.answer.doubt

    def test_the_box_hangs_on_none_of_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        boxes = []
        for others in ((), (LIKE_IT,)):
            flight = Cutting(monkeypatch, *others)
            flight.cut_to()
            flight.until_found(ELSEWHERE)
            boxes.append(flight.show(ELSEWHERE, frames=5).box)
        assert boxes[0] == pytest.approx(boxes[1])


class TestWithoutACut:
    def test_where_it_was_expected_it_is_not_doubted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flight = Cutting(monkeypatch, LIKE_IT)
        flight.show(frames=3)
        assert flight.show(right(0, USUAL)).score == pytest.approx(USUAL, abs=0.01)

    def test_what_is_found_by_search_is_not_doubted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flight = Cutting(monkeypatch, LIKE_IT)
        flight.show(frames=3)
        flight.until_found(ELSEWHERE)
        assert flight.answer.score == pytest.approx(USUAL, rel=0.02)

    def test_what_is_found_by_a_jump_is_doubted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flight = Cutting(monkeypatch, LIKE_IT)
        trusted = USUAL * (1 - flight.follower.config.presence.far_share / 2)
        flight.show()
        assert flight.show(right(45, USUAL)).score == pytest.approx(trusted * UNKNOWN, rel=0.02)

    def test_what_is_found_nearly_where_it_was_expected_is_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flight = Cutting(monkeypatch, LIKE_IT)
        flight.show()
        assert flight.show(right(12, USUAL)).score > 0.85 * USUAL
        assert not any(flight.matcher.back)

    def test_nothing_is_asked_where_a_target_is_only_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flight = Cutting(monkeypatch, LIKE_IT, again="off")
        flight.show()
        flight.show(right(45, USUAL))
        assert flight.answer.found
        assert flight.show(right(45, USUAL), frames=70).score == pytest.approx(USUAL, abs=0.01)
        assert not any(flight.matcher.back)


class TestWhatItCosts:
    def test_a_target_that_is_seen_costs_one_look_a_frame(self, monkeypatch: pytest.MonkeyPatch) -> None:
        flight = Cutting(monkeypatch, LIKE_IT)
        flight.show(right(0, USUAL), LIKE_IT, frames=40)
        assert not any(flight.matcher.back)

    @pytest.mark.parametrize(("looks", "each"), [(1, [1] * MOST_LOOKS), (3, [3, 3, 2])])
    def test_it_is_looked_back_as_often_in_a_frame_as_elsewhere_and_not_both(
        self, looks: int, each: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flight = Cutting(monkeypatch, LIKE_IT, looks=looks)
        for _ in range(15):  # in each frame the place is lost, and it is looked for elsewhere
            flight.cut_to(right(0, USUAL))
        back = [len(some) for some in flight.matcher.back[-15:]]
        here = [len(some) for some in flight.matcher.elsewhere[-15:]]
        assert [count for count in back if count] == each
        assert {bool(looked) + bool(elsewhere) for looked, elsewhere in zip(back, here, strict=True)} == {1}


class TestThePicture:
    def test_it_is_looked_through_all_around_the_target_as_far_as_the_image_reaches(self) -> None:
        corner = Lookalikes(frame_at(1), Box(10.0, 10.0, 40.0, 30.0), SIDE)
        centers = set()
        while places := corner.next(2):
            assert {place[2:] for place in places} == {(40.0, 30.0)}
            centers |= {place.center for place in places}
        assert centers == {(90.0, 25.0), (30.0, 85.0), (90.0, 85.0)}

    def test_while_an_answer_waits_for_it_no_other_takes_its_place(self) -> None:
        first, second = frame_at(1), frame_at(2)
        known = Lookalikes(first, START, SIDE)
        known.next(1)
        assert not known.is_wanted
        known.keep(second, START, SIDE)
        assert known.frame is second
        known.mind(3, is_apart=True)
        for _ in range(MOST_LOOKS):
            assert known.is_wanted
            known.keep(first, START, SIDE)
            assert known.frame is second
            assert known.next(1)
        assert not known.is_wanted
        assert not known.next(1)
        known.keep(first, START, SIDE)
        assert known.frame is first

    def test_after_ten_seconds_an_answer_may_be_tracking_again(self) -> None:
        known = Lookalikes(frame_at(1), START, SIDE)
        assert known.trust(10) == 1.0
        known.mind(10, is_apart=True)
        assert [known.trust(10 + 30 * seconds) for seconds in (0, 12, 30)] == pytest.approx(
            [0.59, 0.83, 0.97], abs=0.01
        )

    def test_what_is_beside_the_target_is_not_the_target(self) -> None:
        x, y, width, height = START
        part, around = (x + 5, y + 5, 8, 8), (x - 30, y - 30, 100, 90)
        shifted, apart = (x + 15, y, width, height), (x + 45, y, width, height)
        beside = Lookalikes(frame_at(1), START, SIDE).beside(np.array([START, part, around, shifted, apart], float))
        assert beside.tolist() == [False, False, False, False, True]
