"""Objects beside the target are known by where they were, and not taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core.types import MOST_CANDIDATES
from stm_tracker_ros.following.distractors import KEPT_FRAMES, Distractors

pytestmark = pytest.mark.pure

TARGET = np.array([[100.0, 100.0, 40.0, 80.0]])
BESIDE = np.array([220.0, 100.0, 40.0, 80.0])
NOWHERE = np.array([[-900.0, -900.0, 1.0, 1.0]])


def candidates(*boxes: np.ndarray) -> np.ndarray:
    return np.array([TARGET[0], *boxes])


def seen(distractors: Distractors, box: np.ndarray, number: int, score: float = 0.4) -> None:
    distractors.learn(candidates(box), np.array([0.8, score]), TARGET, number, below=0.8)


def claimed(distractors: Distractors, box: np.ndarray, number: int, overlap: float = 0.0) -> bool:
    """Whether a candidate there is a distractor's; overlap: of it with where the target is expected."""
    return bool(distractors.claims(candidates(box), np.array([1.0, overlap]), number)[1])


def test_what_was_seen_twice_beside_the_target_is_a_distractor() -> None:
    distractors = Distractors()
    seen(distractors, BESIDE, 1)
    assert not claimed(distractors, BESIDE, 2)
    seen(distractors, BESIDE, 2)
    assert claimed(distractors, BESIDE, 3)
    assert not claimed(distractors, BESIDE + (80, 0, 0, 0), 3)
    assert not distractors.claims(candidates(BESIDE), np.array([1.0, 0.0]), 3)[0]  # the target's own place


def test_a_place_that_is_rather_the_target_s_is_not_claimed() -> None:
    distractors = Distractors()
    for number in (1, 2):
        seen(distractors, BESIDE, number)
    near = BESIDE - (16, 0, 0, 0)
    assert claimed(distractors, near, 3, overlap=0.2)
    assert not claimed(distractors, near, 3, overlap=0.6)


def test_a_distractor_is_expected_where_its_motion_takes_it() -> None:
    distractors = Distractors()
    for number in range(1, 15):
        seen(distractors, BESIDE + (9 * number, 0, 0, 0), number)
    assert claimed(distractors, BESIDE + (9 * 18, 0, 0, 0), 18)  # 36 px on, of 40 that it is wide
    assert not claimed(distractors, BESIDE + (9 * 14 - 36, 0, 0, 0), 18)
    assert len(distractors.known) == 1


def test_a_distractor_keeps_its_place_in_the_world_while_the_camera_turns() -> None:
    jerk = np.array([60.0, -30.0, 0.0, 0.0])
    for told in (True, False):
        distractors = Distractors()
        for number in (1, 2):
            seen(distractors, BESIDE, number)
        if told:
            distractors.carry((60.0, -30.0))
        assert claimed(distractors, BESIDE + jerk, 3) == told
        assert claimed(distractors, BESIDE, 3) != told
        seen(distractors, BESIDE + jerk, 3)
        assert len(distractors.known) == (1 if told else 2)
        assert np.abs(distractors.known[0].speed).max() < 1e-9  # it has not moved


def test_the_target_itself_and_faint_or_better_candidates_are_no_distractors() -> None:
    distractors = Distractors()
    for number in (1, 2, 3):
        seen(distractors, TARGET[0] + (12, 0, 0, 0), number)
        seen(distractors, BESIDE, number, score=0.05)
        seen(distractors, BESIDE - (0, 300, 0, 0), number, score=0.9)
    assert distractors.known == []


def test_what_overlaps_with_the_targets_place_is_the_target_though_its_centre_lies_outside() -> None:
    """It shares a third with it, and nothing in the picture scores more."""
    distractors = Distractors()
    for number in (1, 2):
        distractors.learn(TARGET + (20, 0, 0, 0), np.array([0.4]), TARGET, number, below=0.8)
    assert distractors.known == []


def test_another_outline_of_the_target_is_no_distractor() -> None:
    """A part of it, or a box of other proportions: it overlaps little, but its centre lies in the target's box."""
    distractors = Distractors()
    for number in (1, 2):
        seen(distractors, np.array([112.0, 110.0, 16.0, 20.0]), number)
        seen(distractors, np.array([20.0, 130.0, 200.0, 20.0]), number)
    assert distractors.known == []


def test_none_is_added_unless_asked_but_the_known_ones_are_followed() -> None:
    distractors = Distractors()
    for number in (1, 2):
        seen(distractors, BESIDE, number)
    other = BESIDE + (0, 200, 0, 0)
    distractors.learn(candidates(BESIDE + (8, 0, 0, 0), other), np.array([0.8, 0.4, 0.4]), NOWHERE, 3)
    assert [distractor.box[0] for distractor in distractors.known] == [BESIDE[0] + 8]


def test_two_distractors_are_kept_apart_and_a_frame_may_show_neither() -> None:
    distractors, second = Distractors(), BESIDE + (60, 0, 0, 0)
    for number in (1, 2):
        distractors.learn(candidates(BESIDE, second), np.array([0.8, 0.4, 0.3]), TARGET, number, 0.8)
    distractors.learn(candidates(), np.array([0.8]), TARGET, 3, 0.8)
    assert len(distractors.known) == 2
    assert claimed(distractors, BESIDE, 4)
    assert claimed(distractors, second, 4)


def test_a_distractor_that_is_gone_is_forgotten() -> None:
    distractors = Distractors()
    for number in (1, 2):
        seen(distractors, BESIDE, number)
    assert claimed(distractors, BESIDE, 2 + KEPT_FRAMES)
    assert not claimed(distractors, BESIDE, 3 + KEPT_FRAMES)
    assert distractors.known == []


@pytest.mark.parametrize("crowd", [40])
def test_a_crowd_does_not_pile_up(crowd: int) -> None:
    distractors, draw = Distractors(), np.random.default_rng(2)
    for number in range(1, 200):
        places = np.concatenate([draw.uniform(200, 5000, (crowd, 2)), np.full((crowd, 2), 30.0)], 1)
        distractors.claims(candidates(*places), np.zeros(crowd + 1), number)
        distractors.learn(candidates(*places), np.full(crowd + 1, 0.5), TARGET, number, 0.8)
    assert len(distractors.known) <= MOST_CANDIDATES * (KEPT_FRAMES + 1)


def test_a_slow_camera_knows_them_too() -> None:
    """One image a second: thirty nominal frames between two."""
    distractors = Distractors()
    for number in (1, 31):
        seen(distractors, BESIDE, number)
    assert distractors.claims(candidates(BESIDE), np.array([1.0, 0.0]), 61, step=30.0)[1]
    assert not distractors.claims(candidates(BESIDE), np.array([1.0, 0.0]), 122, step=30.0)[1]
