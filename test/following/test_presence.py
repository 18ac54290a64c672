"""Who may be the target: its usual score, where it must be, and what is reported while it is hidden."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from presence_scene import CONFIG, FAR, START, Scene, moved

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.following.config import FOLLOW_BEST
from stm_tracker_ros.following.presence import ORDINARY, PATIENCE_FRAMES, Gate, overlap_with_place

pytestmark = pytest.mark.pure


def test_the_usual_score_follows_what_is_seen() -> None:
    scene = Scene(still=0)
    assert scene.show((START, 0.9), frames=80) == pytest.approx(0.9)
    assert scene.presence.usual == pytest.approx(0.9, abs=0.01)
    scene.show((START, 0.5))  # less than ordinary: counts for nothing
    assert scene.presence.usual == pytest.approx(0.9, abs=0.01)


def test_less_is_asked_at_the_expected_place_than_elsewhere() -> None:
    usual = Scene().presence.usual
    for box, share in ((START, CONFIG.near_share), (FAR, ORDINARY)):
        follows, stays = Scene(), Scene()
        follows.show((box, share * usual + 0.01))
        stays.show((box, share * usual - 0.01))
        assert (follows.box, stays.box) == (box, START)
        assert (follows.presence.unseen, stays.presence.unseen) == (0, 1)


def test_of_a_hidden_one_more_is_asked_elsewhere_than_at_the_expected_place() -> None:
    for box, follows in ((START, True), (FAR, False)):
        scene = Scene()
        scene.show()
        scene.show((box, 0.45))
        assert (scene.presence.unseen == 0) == follows


def test_where_every_frame_is_a_surprise_the_best_candidate_is_followed() -> None:
    """A camera that shakes: the target jumps by half its size to and fro, so its place says nothing."""
    for swing, steadiness in ((2.0, 1.0), (30.0, 0.0)):
        scene = Scene(still=0)
        for frame in range(60):
            scene.show((moved(swing * (-1) ** frame), 0.6))
        assert scene.presence.steadiness == steadiness
        score = scene.show((FAR, 0.2))
        assert (scene.box == FAR) == (steadiness == 0.0)
        assert score == (0.2 if steadiness == 0.0 else 0.0)  # no jump can be told there, so none is doubted


def test_a_new_target_s_place_is_not_relied_on_at_once() -> None:
    scene = Scene(still=0)
    assert scene.presence.steadiness == 0.0
    scene.show((START, 0.6), frames=10)
    assert scene.presence.steadiness == 1.0


def test_what_appears_elsewhere_when_the_target_has_just_gone_is_not_followed() -> None:
    scene = Scene()
    scene.show((START, 0.6), frames=20)
    scene.show()
    score = scene.show((FAR, 0.5), frames=10)
    assert scene.box == START
    assert score == 0.0  # nothing at the target's place, however good the other one looks


@pytest.mark.parametrize(("gone", "share", "follows"), [(1, 0.85, False), (10, 0.95, True), (11, 2.0, False)])
def test_elsewhere_nearly_all_of_the_usual_score_is_asked_and_after_coasting_it_must_be_found_again(
    gone: int, share: float, follows: bool
) -> None:
    scene = Scene()
    scene.show(frames=gone)
    scene.show((FAR, share * scene.presence.usual))
    assert (scene.box == FAR) == follows


def test_what_the_camera_turned_away_from_is_not_taken_apart_from_its_place() -> None:
    for box, follows in ((FAR, False), (moved(10.0), True)):
        scene = Scene()
        scene.step((box, 0.6), elsewhere=False)
        assert (scene.presence.unseen == 0) == follows


def test_at_a_place_that_is_unknown_as_much_is_asked_as_elsewhere_and_it_is_a_jump() -> None:
    for share, follows in ((ORDINARY - 0.05, False), (ORDINARY + 0.05, True)):
        scene = Scene()
        score = scene.step((START, share * scene.presence.usual), known=False)
        assert (scene.presence.unseen == 0) == follows
        assert scene.presence.doubt == follows
        assert not follows or score < 0.6 * share * scene.presence.usual


def test_the_overlap_of_a_cut_depends_on_what_is_given_alone() -> None:
    boxes = np.array([START, moved(20.0)], float)
    cut = Gate(overlap=np.zeros(2), allowed=np.ones(2, bool), known=False)
    known = cut._replace(overlap=np.array([0.0, 0.25]), known=True)
    for _ in range(2):  # whoever asks twice is answered the same
        assert overlap_with_place(boxes, cut, 1, None) == 0
        assert overlap_with_place(boxes, cut, 1, START) == pytest.approx(20 / 60)
        assert overlap_with_place(boxes, known, 1, START) == 0.25


def test_of_a_series_of_cuts_only_the_first_makes_a_doubt_of_what_is_where_it_must_be() -> None:
    """To a camera that yaws each frame is a cut."""
    scene = Scene()
    scene.step((START, 0.6), known=False)
    assert scene.presence.doubt == 1
    for _ in range(PATIENCE_FRAMES):
        scene.step((START, 0.6), known=False)
    assert scene.presence.doubt == pytest.approx(0)
    scene.step((FAR, 0.6), known=False)
    assert scene.presence.doubt == 1
    scene = Scene()
    for _ in range(2):  # each a first one
        scene.show((START, 0.6), frames=PATIENCE_FRAMES + 1)
        scene.step((START, 0.6), known=False)
        assert scene.presence.doubt == 1


def test_what_was_not_seen_and_whose_place_is_unknown_must_be_found_again() -> None:
    scene = Scene()
    scene.show()
    for box in (START, FAR):
        scene.step((box, 0.9), known=False)
        assert scene.presence.unseen


def test_after_coasting_an_unsteady_target_is_asked_for_as_much_as_a_steady_one() -> None:
    """Until then it is followed wherever it is; once it is gone that excuses nothing."""
    for gone, follows in ((0, True), (10, True), (11, False)):
        scene = Scene(still=0)
        for frame in range(60):
            scene.show((moved(5.5 * (-1) ** frame), 0.6))
        assert 0 < scene.presence.steadiness < 0.5
        scene.show(frames=gone)
        scene.show((FAR, 0.5 * scene.presence.usual))
        assert (scene.box == FAR) == follows


@pytest.mark.parametrize(("gone", "share"), [(10, CONFIG.near_share), (11, ORDINARY), (400, ORDINARY)])
def test_after_coasting_the_usual_is_asked_at_its_place_as_well(gone: int, share: float) -> None:
    for more, follows in ((-0.01, False), (0.01, True)):
        scene = Scene()
        scene.show(frames=gone)
        scene.show((START, share * scene.presence.usual + more))
        assert (scene.presence.unseen == 0) == follows


def test_what_is_elsewhere_as_the_target_goes_has_not_come_from_its_place() -> None:
    """It is known for another object from then on."""
    for hidden, known in ((0, 1), (20, 0)):
        scene = Scene()
        scene.show(frames=hidden)
        scene.step((FAR, 0.4))
        assert len(scene.presence.distractors.known) == known


def test_where_its_place_is_unknown_nothing_is_known_to_be_something_else() -> None:
    for learns in (True, False):
        scene = Scene()
        scene.step((FAR, 0.4), learns=learns)
        assert len(scene.presence.distractors.known) == learns


@pytest.mark.parametrize("elapsed", [1, 6])
def test_that_is_learned_at_any_rate(elapsed: int) -> None:
    scene = Scene()
    scene.step((FAR, 0.4), elapsed=elapsed)
    assert len(scene.presence.distractors.known) == 1


def test_what_is_seen_badly_teaches_no_speed_and_no_distractor() -> None:
    for score, learns in ((0.5, True), (0.3, False)):
        scene = Scene()
        scene.step((moved(4.0), score), (FAR, 0.2))
        assert (scene.presence.motion.speeds[0, 0] > 0) == learns
        assert len(scene.presence.distractors.known) == learns


def test_no_less_is_asked_elsewhere_than_at_the_expected_place() -> None:
    for share, found in ((0.9, False), (0.5, True)):
        scene = Scene(dataclasses.replace(CONFIG, near_share=share, far_share=0.3))
        scene.show((FAR, 0.75 * scene.presence.usual))
        assert (scene.box == FAR) == found


def test_it_is_looked_for_elsewhere_once_it_is_not_seen_and_while_it_is_seen_badly() -> None:
    scene = Scene()
    assert not scene.presence.is_away
    scene.show()
    assert scene.presence.is_away
    scene.show((START, 0.6))
    assert not scene.presence.is_away
    scene.show((START, 0.3), frames=CONFIG.coast_frames)
    assert not scene.presence.is_away
    scene.show((START, 0.3))
    assert scene.presence.is_away


def test_from_one_that_was_followed_to_another_is_a_jump() -> None:
    for gone, doubt in ((0, 1.0), (1, 0.0)):
        scene = Scene()
        scene.show(frames=gone)
        scene.presence.found_again(FAR)
        assert scene.presence.doubt == doubt
        assert scene.show((FAR, 0.6)) == pytest.approx(0.6 * (1 - doubt * CONFIG.far_share / 2), abs=0.01)


def test_found_again_it_does_not_move_on_as_it_did_before() -> None:
    scene = Scene(still=0)
    for frame in range(40):
        scene.show((moved(4.0 * frame), 0.6))
    scene.show(frames=3)
    scene.presence.found_again(FAR)
    scene.step()
    assert scene.box == FAR


def test_it_is_well_seen_where_there_is_no_doubt_of_it() -> None:
    for share, badly in ((0.65, True), (0.75, False)):
        scene = Scene()
        scene.show((START, share * scene.presence.usual))
        assert scene.presence.is_well_seen != badly
    scene = Scene()
    scene.show()
    scene.show((FAR, 0.6))
    assert not scene.presence.is_well_seen
    scene.show(frames=3)
    scene.presence.found_again(FAR)
    assert scene.presence.is_well_seen


def test_a_jump_is_no_doubt_where_no_place_is_asked_for_more() -> None:
    scene = Scene()
    scene.show(frames=5)
    assert scene.show((FAR, 0.6)) < 0.4
    scene.presence.config = dataclasses.replace(CONFIG, far_share=0.0)
    assert scene.show((FAR, 0.6)) == pytest.approx(0.6)


def test_a_hidden_target_is_expected_where_its_motion_takes_it_and_then_waited_for() -> None:
    scene = Scene()
    for frame in range(1, 31):
        scene.show((moved(3.0 * frame), 0.6))
    scene.show(frames=4)
    ahead = scene.box.x - moved(90.0).x
    assert 0.6 * 12 < ahead < 12
    scene.show(frames=CONFIG.coast_frames)
    waiting = scene.box
    scene.show(frames=20)
    assert scene.box == waiting
    assert waiting.width == START.width


def test_a_hidden_target_stays_where_it_is_in_the_world() -> None:
    scene = Scene()
    for _ in range(30):
        scene.step(camera=(-25.0, 10.0))
    assert scene.box == Box(START.x - 750.0, START.y + 300.0, START.width, START.height)
    scene.step((scene.box, 0.6))
    assert scene.presence.unseen == 0


def test_time_counts_not_frames() -> None:
    """A stream at a third of the rate moves on as far while the target is hidden, and is as patient."""
    fast, slow = Scene(still=0), Scene(still=0)
    for frame in range(1, 91):
        fast.step((moved(1.0 * frame), 0.8))
        if frame % 3 == 0:
            slow.step((moved(1.0 * frame), 0.8), elapsed=3)
    for _ in range(12):
        fast.step()
    for _ in range(4):
        slow.step(elapsed=3)
    assert slow.presence.unseen == fast.presence.unseen == 12
    assert slow.presence.motion.speeds == pytest.approx(fast.presence.motion.speeds, rel=0.05)
    assert slow.box.x == pytest.approx(fast.box.x, abs=1.5)


def test_after_a_jump_the_score_is_trusted_less_and_by_and_by_again() -> None:
    scene, least = Scene(), 1 - CONFIG.far_share / 2
    scene.show((START, 0.6), frames=20)
    scene.show()
    scene.show((START, 0.6))
    assert scene.show((START, 0.6)) == pytest.approx(0.6)  # back at its place: no doubt
    scene.show(frames=5)
    assert scene.show((FAR, 0.6)) == pytest.approx(0.6 * least)
    half = scene.show((FAR, 0.6), frames=PATIENCE_FRAMES // 2)
    assert half == pytest.approx(0.6 * (1 + least) / 2)
    assert scene.show((FAR, 0.6), frames=PATIENCE_FRAMES // 2 + 1) == pytest.approx(0.6)


def test_a_known_distractor_is_not_taken_for_a_hidden_target() -> None:
    """It stands near by: without the distractors it would be followed as soon as the target is hidden."""
    beside = moved(28.0)
    for share, expected in ((CONFIG.distractor_share, START), (0.0, beside)):
        scene = Scene(dataclasses.replace(CONFIG, distractor_share=share, far_share=0.6))
        for frame in range(20, 0, -1):
            scene.show((START, 0.6), (moved(28.0 + 3 * frame), 0.3))
        score = scene.show((beside, 0.5), frames=3)
        assert scene.box == expected
        assert score < 0.3 or share == 0.0


def test_a_known_distractor_is_known_when_the_camera_has_turned() -> None:
    scene = Scene(dataclasses.replace(CONFIG, far_share=0.6))
    for frame in range(20, 0, -1):
        scene.show((START, 0.6), (moved(28.0 + 3 * frame), 0.3))
    for frame in (1, 2, 3):
        scene.step((moved(28.0 + 70 * frame), 0.5), camera=(70.0, 0.0))
    assert scene.box == moved(210.0)


def test_a_distractor_that_looks_as_the_target_does_is_followed() -> None:
    """A target that comes out from behind another object is next to it: what scores as it does is it."""
    scene, beside = Scene(), moved(28.0)
    for frame in range(20, 0, -1):
        scene.show((START, 0.6), (moved(28.0 + 3 * frame), 0.3))
    scene.show((beside, 0.59))
    assert scene.box == beside


def test_what_is_reported_without_the_target_is_what_its_place_scores_and_never_good() -> None:
    scene = Scene()
    scene.show((START, 0.6), frames=10)
    scene.show()
    assert scene.show((START, 0.1), (FAR, 0.5)) == pytest.approx(0.1)
    assert scene.show((moved(20.0), 0.2), (FAR, 0.5)) == pytest.approx(CONFIG.near_share * scene.presence.usual)
    assert scene.presence.unseen == 3


def test_follow_best_follows_the_best_candidate_whatever_it_scores() -> None:
    scene = Scene(FOLLOW_BEST)
    for box, score in ((FAR, 0.0), (START, 0.001), (FAR, 0.3)):
        assert scene.show((box, score)) == pytest.approx(score)
        assert scene.box == box
    assert scene.presence.distractors.known == []


@pytest.mark.parametrize(("name", "value"), [("near_share", -0.1), ("distractor_share", 2.5), ("coast_frames", -1)])
def test_settings_out_of_range_are_named(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        with_changes(CONFIG, {name: value})


def test_in_sight_a_little_of_the_usual_score_is_asked_even_where_every_frame_is_a_surprise() -> None:
    for share, follows in ((CONFIG.near_share + 0.02, True), (CONFIG.near_share - 0.02, False)):
        scene = Scene(still=0)
        for frame in range(60):
            scene.show((moved(30.0 * (-1) ** frame), 0.6))
        assert scene.presence.steadiness == 0.0
        scene.show((FAR, share * scene.presence.usual))
        assert (scene.presence.unseen == 0) == follows


@pytest.mark.parametrize(
    ("gone", "share", "moves"), [(10, 1.0, False), (35, 0.5, False), (35, 0.6, True), (80, 0.3, True)]
)
def test_one_that_is_away_for_long_is_waited_for_where_something_scores_most(
    gone: int, share: float, moves: bool
) -> None:
    """The less, the longer it is away; and no more than waited for."""
    scene = Scene()
    scene.show(frames=gone)
    boxes, scores = np.array([FAR, moved(200.0)], float), np.array([share, 0.5 * share]) * scene.presence.usual
    scene.presence.suppose(boxes, scores)
    assert (scene.box.center == FAR.center) == moves
    assert scene.presence.is_supposed == moves
    assert scene.presence.unseen == gone


def test_it_is_not_supposed_to_be_a_known_distractor_nor_what_is_nowhere_enough() -> None:
    scene = Scene()
    scene.show((START, 0.6), (FAR, 0.4), frames=5)
    scene.show((FAR, 0.4), frames=60)
    scene.presence.suppose(np.array([FAR], float), np.array([0.4]))
    scene.show(frames=60)
    scene.presence.suppose(np.array([moved(150.0)], float), np.array([0.19 * scene.presence.usual]))
    assert scene.box == START
    assert not scene.presence.is_supposed
    scene.presence.suppose(np.array([moved(150.0)], float), np.array([0.25 * scene.presence.usual]))
    assert scene.presence.is_supposed
    scene.presence.found_again(FAR)
    assert not scene.presence.is_supposed


def test_where_it_is_followed_it_is_not_supposed_to_be() -> None:
    scene = Scene()
    scene.show(frames=80)
    scene.presence.suppose(np.array([FAR], float), np.array([scene.presence.usual]))
    scene.show((FAR, 0.6))
    assert (scene.presence.unseen, scene.presence.is_supposed) == (0, False)
