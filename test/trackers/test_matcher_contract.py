"""What every matcher of the table must keep to: `match` answers and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contract_scene import TARGET, as_array, build, follow, kept, remembered, scene
from made_weights import save_small
from torch import Tensor

from stm_tracker_ros.core.matching import Candidates, Look
from stm_tracker_ros.core.types import Box, Frame
from stm_tracker_ros.parts.crop import cut
from stm_tracker_ros.trackers import registry

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module", params=registry.names())
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Two of the same tracker."""
    weights: Path = save_small(request.param, tmp_path_factory.mktemp("weights") / "small.safetensors")
    return build(request.param, weights), build(request.param, weights)


def looks_into(tracker: Any, frame: Frame, number: int) -> list[Look]:
    """Of one frame: the usual region, one beside it, a wider one."""
    looks, box, size = [], TARGET.box or Box(0, 0, 0, 0), tracker.matcher.crop_size
    for shift, factor in ((0.0, 1.0), (20.0, 1.0), (0.0, 1.5)):
        expected = box._replace(x=box.x + shift)
        side = tracker.config.search.scale * float(np.sqrt(box.width * box.height)) * factor
        patch, crop = cut(frame, expected.center, side, size, tracker.state.fill)
        some = {"fill": tracker.state.fill, "expected": expected, "search_factor": factor}
        looks.append(Look(frame=frame, number=number, crop=crop, patch=patch, **some))
    return looks


def told(tracker: Any, look: Look, found: Candidates) -> list[Any]:
    """All that can be read of an answer, what its payload says of the first memory among it."""
    segment = found.segment
    mask = None if segment is None else (segment.pixels.tolist(), segment.rotated)
    first = tracker.matcher.anchor_scores(look, found)
    numbers = found.boxes.tolist(), found.scores.tolist(), first.tolist()
    return [found.crop, found.grid, found.trust, found.peaks, *numbers, mask]


def same(old: np.ndarray, new: np.ndarray) -> bool:
    """Whether they are equal; slots of a memory that were never written may hold anything, NaN too."""
    return bool(np.array_equal(old, new, equal_nan=old.dtype.kind == "f"))


def test_candidates_are_as_many_as_their_grid_and_finite(pair: tuple[Any, Any]) -> None:
    tracker = pair[0]
    follow(tracker, scene(3))
    for look in looks_into(tracker, scene(4)[3], 4):
        (found,) = tracker.matcher.match([look])
        count = int(np.prod(found.grid))
        assert (found.boxes.shape, found.scores.shape) == ((count, 4), (count,))
        assert tracker.matcher.anchor_scores(look, found).shape == (count,)
        assert np.isfinite(found.boxes).all()
        assert ((found.scores >= 0) & (found.scores <= 1)).all()
        assert 0 <= found.trust <= 1


def test_to_match_changes_nothing(pair: tuple[Any, Any]) -> None:
    """Asked again it is the same, of several looks at once as of each alone, and what comes then is as if unasked."""
    pictures, (tracker, other) = scene(7), pair
    for one in pair:
        follow(one, pictures[:5])
    kinds = (Tensor, np.ndarray, int, float, str)
    before = [as_array(thing) for thing in kept(remembered(tracker), kinds)]
    looks = looks_into(tracker, pictures[5], 6)
    alone = [told(tracker, look, tracker.matcher.match([look])[0]) for look in looks]
    for order in (looks, looks[::-1]):
        found = tracker.matcher.match(order)
        again = [told(tracker, look, one) for look, one in zip(order, found, strict=True)]
        assert again == (alone if order is looks else alone[::-1])
    after = [as_array(thing) for thing in kept(remembered(tracker), kinds)]
    assert len(before) == len(after) > 10
    assert all(same(old, new) for old, new in zip(before, after, strict=True))
    for picture in pictures[5:]:
        assert tracker.track(picture).box == other.track(picture).box
        tracker.memorize()
        other.memorize()
