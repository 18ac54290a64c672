"""Which guess of the target's place is taken, on motions that each of them was made for."""

from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.following.motion import Guess, Motion

pytestmark = pytest.mark.pure

SIZE = 40.0
FRAMES = 120


def shaken(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(0, 15, (FRAMES, 2))


@pytest.mark.parametrize(
    ("best", "walk", "follows"),
    [
        (Guess.STANDS_IN_WORLD, 0.0, False),
        (Guess.MOVES_IN_WORLD, 8.0, False),
        (Guess.STANDS_IN_IMAGE, 0.0, True),
        (Guess.MOVES_IN_IMAGE, 8.0, True),
    ],
)
def test_the_guess_that_was_best_lately_is_taken(best: Guess, walk: float, follows: bool) -> None:
    """A camera that shakes by a third of the target's size, and takes the target along or not."""
    motion, rng = Motion(0.2), np.random.default_rng(0)
    off = []
    for camera in shaken(rng):
        moved = np.array([walk, 0.0]) + (0.0 if follows else camera) + rng.normal(0, 0.5, 2)
        off.append(np.hypot(*(motion.ahead((camera[0], camera[1]), 0, 1) - moved)))
        motion.learn(moved, 1, SIZE)
    assert motion.best == best
    assert np.mean(off[-50:]) < 2.5
    assert motion.error < 0.06


def test_the_guess_changes_with_the_motion() -> None:
    motion = Motion(0.2)
    for moved in ([5.0, 0.0], [0.0, 0.0]):
        for _ in range(60):
            motion.ahead((0.0, 0.0), 0, 1)
            motion.learn(np.array(moved), 1, SIZE)
        assert motion.ahead((0.0, 0.0), 0, 1) == pytest.approx([0.9 * moved[0], 0.0], abs=0.1)


def test_a_target_away_is_moved_on_ever_more_slowly_and_then_waits_in_the_world() -> None:
    motion = Motion(0.2)
    for _ in range(60):
        motion.ahead((-10.0, 0.0), 0, 1)
        motion.learn(np.array([0.0, 0.0]), 1, SIZE)  # the camera keeps it in the middle
    away = [motion.ahead((-10.0, 0.0), unseen, 1)[0] for unseen in range(10)]
    assert away == pytest.approx([0.0] * 10, abs=0.1)
    assert motion.ahead((-10.0, 0.0), 10, 0) == pytest.approx([-10.0, 0.0])
    walking = Motion(0.2)
    for _ in range(60):
        walking.ahead((0.0, 0.0), 0, 1)
        walking.learn(np.array([4.0, 0.0]), 1, SIZE)
    away = [walking.ahead((0.0, 0.0), unseen, 1)[0] for unseen in range(10)]
    assert away == pytest.approx(4 * 0.9 ** np.arange(1, 11), rel=0.01)
    assert walking.ahead((0.0, 0.0), 3, 4)[0] == pytest.approx(sum(away[3:7]), rel=0.01)


def test_a_camera_that_turns_away_leaves_behind_what_is_away_unless_another_guess_was_clearly_better() -> None:
    motion, away = Motion(0.1), (-10.0, 0.0)
    for error, expected in ((0.08, -10.0), (0.06, 0.0)):
        motion.errors[Guess.STANDS_IN_IMAGE] = error
        assert motion.ahead(away, 0, 1)[0] == 0.0  # in sight the best is good enough
        assert motion.ahead(away, 1, 1)[0] == expected


def test_one_great_error_does_not_count_for_more_than_the_size() -> None:
    motion = Motion(0.0)
    motion.ahead((0.0, 0.0), 0, 1)
    motion.learn(np.array([4000.0, 0.0]), 1, SIZE)
    assert motion.error == pytest.approx(0.1)


@pytest.mark.parametrize("parts", [1, 2, 8])
def test_parts_of_a_frame_foresee_the_same_motion(parts: int) -> None:
    """2 pixels a nominal frame, seen so many times in each."""
    motion, error = Motion(0.2), 0.0
    for _ in range(100 * parts):
        foreseen = motion.ahead((0.0, 0.0), 0, 1 / parts)
        error = float(np.hypot(*(foreseen - (2 / parts, 0.0))))
        motion.learn(np.array([2 / parts, 0.0]), 1 / parts, 40.0)
    assert error * parts < 0.25


def test_what_was_seen_in_the_frame_before_is_expected_as_far_on_at_any_rate() -> None:
    motion = Motion(0.2)
    for _ in range(60):
        motion.ahead((0.0, 0.0), 0, 6)
        motion.learn(np.array([24.0, 0.0]), 6, SIZE)
    assert motion.ahead((0.0, 0.0), 0, 6)[0] == pytest.approx(0.9 * 24, rel=0.01)
