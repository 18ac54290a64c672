"""ARCHITECTURE.md's "the least of a tracker", followed: a toy one follows a square, is let down, and is a tracker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import toy_tracker

from stm_tracker_ros.core.boxes import iou
from stm_tracker_ros.core.config import with_changes
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation.runner import Step, follow
from stm_tracker_ros.following.follower import Follower
from stm_tracker_ros.trackers import registry
from stm_tracker_ros.trackers.spec import TrackerSpec

pytestmark = pytest.mark.pure

SIDE, PERIOD_NS = 32, 33_333_333
HIDDEN = range(60, 80)


def truth(index: int) -> Box:
    return Box(60.0 + 2 * index, 100.0 + index // 2, SIDE, SIDE)


def video(count: int) -> list[Frame]:
    """A patterned square that moves over a rough ground, under a grey bar for a while."""
    random = np.random.default_rng(3)
    ground = random.integers(60, 120, (30, 40, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    square = random.integers(0, 256, (4, 4, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    images = []
    for index in range(count):
        image, (x, y, *_) = ground.copy(), map(int, truth(index))
        image[y : y + SIDE, x : x + SIDE] = square
        if index in HIDDEN:
            image[y - 40 : y + 80, x - 5 : x + SIDE + 5] = 90
        images.append(Frame(image=image, stamp_ns=index * PERIOD_NS))
    return images


def followed(tracker: object, count: int = 100) -> list[Step]:
    return list(follow(tracker, iter(video(count)), Target(box=truth(0)), StateConfig()))  # type: ignore[arg-type]


def overlaps(steps: list[Step]) -> np.ndarray:
    return np.array([float(iou(step.box, truth(step.index))) for step in steps])


def test_it_follows_and_waits_for_what_is_hidden() -> None:
    tracker = Follower(toy_tracker.ToyMatcher(toy_tracker.DEFAULT), toy_tracker.DEFAULT)
    steps = followed(tracker)
    seen = np.array([step.index not in HIDDEN for step in steps])
    assert overlaps(steps)[:60].min() > 0.7
    assert overlaps(steps)[90:].min() > 0.7
    assert [step.result.found for step in steps if not seen[step.index]] == [False] * len(HIDDEN)
    assert steps[HIDDEN[-1]].state.name != "TRACKING"


def test_without_the_following_stages_rules_it_takes_what_is_there() -> None:
    changes = {f"presence.{share}": 0.0 for share in ("near_share", "far_share", "distractor_share")}
    config = with_changes(toy_tracker.DEFAULT, changes)
    steps = followed(Follower(toy_tracker.ToyMatcher(config), config))
    assert all(step.result.found for step in steps)


@pytest.mark.torch
def test_its_row_makes_it_known_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The registry asks for a device, and so for torch; the toy itself has no use for it."""
    row = TrackerSpec(
        name="toy", build="toy_tracker:from_checkpoint", configuration="toy_tracker:DEFAULT", small_network=""
    )
    monkeypatch.setitem(registry._TABLE, "toy", row)
    entry = registry.load("toy")
    tracker = entry.from_checkpoint(tmp_path, config=with_changes(entry.default_config, {"store_score": 0.8}))
    assert overlaps(followed(tracker, 20)).min() > 0.7
