"""The search region moves with the picture (`search.camera_motion`): a made world, past which a camera moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from moving_camera import MARGIN, scenery
from moving_camera import seen as filmed
from scripted_matcher import PERIOD_NS, ScriptedMatcher

from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.matching import Candidates, Look
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.following.config import FollowingConfig
from stm_tracker_ros.following.follower import Follower

pytestmark = pytest.mark.pure

AT_ONCE = {"size.rate": 1.0, "prior.penalty": 0.0}


class SeesWhite(ScriptedMatcher):
    """Sees what is white in the pixels of the crop, if anything is."""

    def match(self, looks: Sequence[Look]) -> list[Candidates]:
        self.sights = [(box, 1.0) for look in looks if look.frame is looks[0].frame and (box := white(look))]
        return super().match(looks)


def white(look: Look) -> Box | None:
    """Where the look shows white, in the image."""
    rows, columns = np.nonzero(look.patch.min(2) > 200)
    if len(rows) <= 50:
        return None
    low, high = (columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)
    return look.crop.to_image(Box(*map(float, low), *map(float, np.subtract(high, low))))


class Filmed:
    """A follower of a white box which stands still in a made world, past which a camera moves."""

    start = Box(60, 200, 40, 30)

    def __init__(self, changes: dict[str, Any]) -> None:
        self.world, self.number = scenery(480, 640) // 2, 0
        x, y = int(self.start.x) + MARGIN, int(self.start.y) + MARGIN
        self.world[y : y + 30, x : x + 40] = 255
        self.matcher = SeesWhite()
        self.follower = Follower(
            self.matcher, with_changes(FollowingConfig(), AT_ONCE | {"search.scale": 4.0} | changes)
        )
        self.answer = self.follower.init(self._frame(0, 0), Target(box=self.start))

    def show(self, x: float, y: float = 0.0) -> float:
        """The camera is at x, y: how far the answer is off the box, in pixels."""
        self.answer = self.follower.track(self._frame(x, y))
        self.follower.memorize()
        return float(np.hypot(*np.subtract(self.answer.box.center, self.start.center) + (x, y)))

    def _frame(self, x: float, y: float) -> Frame:
        self.number += 1
        return filmed(self.world, x, y, round((self.number - 1) * PERIOD_NS))


@pytest.mark.parametrize("camera_motion", [True, False])
def test_the_search_region_moves_with_the_picture(camera_motion: bool) -> None:
    """The camera jerks by more than half of the region's side."""
    scene = Filmed({"search.camera_motion": camera_motion})
    assert max(scene.show(0.0) for _ in range(40)) < 2
    assert (scene.show(-120.0, -60.0) < 5) == camera_motion


def test_a_target_that_the_camera_leaves_behind_is_waited_for_outside_the_image() -> None:
    scene = Filmed({"search.camera_motion": True})
    assert max(scene.show(0.0) for _ in range(40)) < 2
    for x in (150.0, *[200.0] * 30):
        scene.show(x)
    assert scene.answer.expected is not None
    assert scene.answer.expected.center == pytest.approx((80 - 200, 215), abs=5)
    assert not scene.answer.found
    assert scene.answer.box.center == pytest.approx((0, 215), abs=5)
    scene.show(200.0)
    assert scene.answer.expected.center == pytest.approx((80 - 200, 215), abs=5)  # no frame brought it in
    assert not any(scene.matcher.elsewhere[-30:])  # it is nowhere else
    assert scene.show(150.0) > 50  # the answer lies in the image, the target does not
    assert scene.show(0.0) < 5


class Cut(Filmed):
    """The same, and at any time the picture of another place."""

    def cut_to(self, seed: int, x: float) -> None:
        """Another world from now on, with the same target in it, or with none."""
        self.world = scenery(480, 640, seed) // 2
        if x >= 0:
            left, top = int(x) + MARGIN, int(self.start.y) + MARGIN
            self.world[top : top + 30, left : left + 40] = 255
        self.start = self.start._replace(x=x)


def test_in_sight_a_cut_is_a_jump_and_from_there_on_its_place_is_known() -> None:
    scene = Cut({"search.camera_motion": True})
    assert max(scene.show(0.0) for _ in range(40)) < 2
    usual = scene.answer.score
    scene.cut_to(5, 75.0)
    assert scene.show(0.0) < 5
    assert scene.answer.score < 0.6 * usual
    for _ in range(70):
        assert scene.show(0.0) < 2
        assert scene.answer.found
    assert scene.answer.score == pytest.approx(usual)
    assert not any(scene.matcher.elsewhere[-70:])


def test_a_camera_to_which_each_frame_is_a_cut_loses_no_target_that_is_in_sight() -> None:
    scene = Cut({"search.camera_motion": True})
    assert max(scene.show(0.0) for _ in range(40)) < 2
    usual = scene.answer.score
    for seed in range(70):
        scene.cut_to(5 + seed % 2, scene.start.x)
        assert scene.show(0.0) < 2
        assert scene.answer.found
    assert scene.answer.score == pytest.approx(usual, rel=0.02)


def test_where_it_was_not_seen_after_a_cut_it_is_found_again_at_its_place_as_anywhere() -> None:
    for x in (60.0, 400.0):
        scene = Cut({"search.camera_motion": True})
        assert max(scene.show(0.0) for _ in range(40)) < 2
        scene.cut_to(5, -1.0)
        scene.show(0.0)
        scene.cut_to(5, x)
        found = []
        for _ in range(40):
            scene.show(0.0)
            found.append(scene.answer.found)
        assert found[:3] == [False] * 3
        assert found[-1]
        assert scene.show(0.0) < 5


def test_after_a_cut_back_the_target_is_expected_where_it_is() -> None:
    scene = Cut({"search.camera_motion": True, "search.again": "off"})
    assert max(scene.show(0.0) for _ in range(40)) < 2
    world, start = scene.world, scene.start
    scene.cut_to(5, -1.0)
    for _ in range(20):
        scene.show(0.0)
        assert not scene.answer.found
    scene.world, scene.start = world, start
    assert scene.show(-100.0, -20.0) < 5
    assert scene.answer.found
