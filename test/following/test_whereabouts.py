"""Where the target's place is by now: by the camera's motion, and by the picture in which it was seen last."""

from __future__ import annotations

import numpy as np
import pytest
from moving_camera import scenery, seen

from stm_tracker_ros.core.types import Box, Frame
from stm_tracker_ros.following.whereabouts import Whereabouts, is_whole

pytestmark = pytest.mark.pure

PLACE, NOTHING = Box(150.0, 100.0, 20.0, 20.0), Box(0.0, 0.0, 0.0, 0.0)
WORLD, OTHER = scenery(240, 320), scenery(240, 320, seed=5)


def at(x: float, world: np.ndarray = WORLD) -> Frame:
    return seen(world, x, 0.0)


@pytest.fixture
def known() -> Whereabouts:
    return Whereabouts(at(0.0), PLACE, follows_camera=True)


def test_while_it_is_known_it_moves_with_the_picture(known: Whereabouts) -> None:
    assert known.moved(at(20.0), NOTHING) == pytest.approx((-20.0, 0.0), abs=1.0)
    assert known.is_known
    assert known.again(at(20.0), PLACE._replace(x=130.0)) is None  # nobody needs to ask


def test_after_a_cut_it_is_unknown_until_the_kept_picture_is_back(known: Whereabouts) -> None:
    assert known.moved(at(0.0, OTHER), NOTHING) == (0.0, 0.0)
    assert not known.is_known
    assert known.again(at(0.0, OTHER), PLACE) is None
    known.moved(at(30.0), NOTHING)
    back = known.again(at(30.0), PLACE)
    assert back == pytest.approx((120.0, 100.0, 20.0, 20.0), abs=1.0)
    assert known.is_known


def test_outside_of_the_image_the_kept_picture_is_asked_as_well(known: Whereabouts) -> None:
    """The sum of a pan's motions is off by then."""
    beyond = PLACE._replace(x=-40.0)
    known.moved(at(10.0), NOTHING)
    assert known.again(at(10.0), beyond) == pytest.approx((140.0, 100.0, 20.0, 20.0), abs=1.0)


def test_what_is_kept_is_where_it_was_seen_last(known: Whereabouts) -> None:
    known.moved(at(20.0), NOTHING)
    known.keep(PLACE._replace(x=200.0))
    known.moved(at(0.0, OTHER), NOTHING)
    known.moved(at(20.0), NOTHING)
    assert known.again(at(20.0), PLACE) == pytest.approx((200.0, 100.0, 20.0, 20.0), abs=1.0)


def test_seen_again_it_is_known_and_the_picture_is_kept_only_where_it_is_seen_well(known: Whereabouts) -> None:
    known.moved(at(0.0, OTHER), NOTHING)
    known.found()
    assert known.is_known
    known.moved(at(0.0), NOTHING)
    assert known.again(at(0.0), PLACE) == pytest.approx(PLACE, abs=1.0)


def test_what_the_camera_has_turned_away_from_is_known_to_be_outside(known: Whereabouts) -> None:
    """For ten seconds; after a cut nobody knows."""
    for x in (50.0, 100.0, 150.0, 200.0):
        moved = known.moved(at(x), NOTHING)
    assert moved == pytest.approx((-50.0, 0.0), abs=1.0)
    beyond = PLACE._replace(x=-50.0)
    assert known.is_left_behind(at(200.0), beyond, 300)
    assert not known.is_left_behind(at(200.0), beyond, 301)
    assert not known.is_left_behind(at(200.0), PLACE, 1)
    known.moved(at(0.0, OTHER), NOTHING)
    assert not known.is_left_behind(at(0.0, OTHER), beyond, 1)


def test_what_has_left_by_itself_may_be_anywhere(known: Whereabouts) -> None:
    beyond = PLACE._replace(x=-50.0)
    assert not known.is_left_behind(at(0.0), beyond, 1)
    known.moved(at(20.0), NOTHING)
    known.keep(PLACE)
    assert not known.is_left_behind(at(20.0), beyond, 1)


def test_without_the_camera_s_motion_a_place_is_always_known() -> None:
    still = Whereabouts(at(0.0), PLACE, follows_camera=False)
    assert still.moved(at(0.0, OTHER), NOTHING) == (0.0, 0.0)
    assert still.is_known
    assert still.again(at(0.0, OTHER), PLACE._replace(x=-40.0)) is None


def field(seed: int) -> Frame:
    """Sky above, a field below, and small things on it."""
    light = np.linspace(200, 60, 240)[:, None, None]
    things = np.random.default_rng(seed).integers(-60, 60, (30, 40, 3)).repeat(8, 0).repeat(8, 1)
    return Frame(image=(light + things).clip(0, 255).astype(np.uint8), stamp_ns=0)


def test_a_scene_that_is_only_as_light_and_dark_as_the_kept_one_is_another() -> None:
    whereabouts = Whereabouts(field(1), PLACE, follows_camera=True)
    whereabouts.moved(at(0.0), NOTHING)
    for seed, known in ((2, False), (1, True)):
        whereabouts.moved(field(seed), NOTHING)
        assert (whereabouts.again(field(seed), PLACE) is not None) == known


def test_what_may_be_partly_outside_is_not_whole() -> None:
    frame = at(0.0)
    assert is_whole(Box(40.0, 40.0, 20.0, 20.0), frame)
    assert not is_whole(Box(5.0, 40.0, 20.0, 20.0), frame)
    assert not is_whole(Box(40.0, frame.height - 25.0, 20.0, 20.0), frame)
    assert not is_whole(Box(0.0, 0.0, frame.width * 0.6, 20.0), frame)
