from __future__ import annotations

import numpy as np
import pytest
from engine_bench import FakeTracker

from stm_tracker_ros.core.types import Box, Candidate, Frame, Lead, Result, RotatedBox, Target
from stm_tracker_ros.engine.sized import SizedTracker

pytestmark = pytest.mark.pure

BOX = Box(10, 12, 20, 16)


def frame(width, height):
    return Frame(image=np.zeros((height, width, 3), np.uint8), stamp_ns=0, gap=3)


def started(**fields):
    inner = FakeTracker()
    tracker = SizedTracker(inner)
    tracker.init(frame(80, 60), Target(box=BOX))
    answer = Result(box=BOX, score=0.7, **fields)
    inner.track = lambda given: (inner.frames.append(given), answer)[1]
    return tracker, inner


def test_the_same_size_is_handed_over_as_it_is():
    tracker, inner = started()
    given = frame(80, 60)
    assert tracker.track(given).box == BOX
    assert inner.frames[-1] is given


@pytest.mark.parametrize("factor", [0.5, 2, 3])
def test_every_part_of_an_answer_is_scaled(factor):
    mask = np.zeros((60, 80), np.uint8)
    mask[12:28, 10:30] = 255
    tracker, inner = started(
        mask=mask,
        rotated=RotatedBox(20, 20, 8, 4, 0.5),
        expected=BOX,
        region=Box(-10, 0, 50, 50),
        candidates=(Candidate(BOX, 0.7),),
        lead=Lead(BOX, 0.6, 7, 2),
    )
    width, height = int(80 * factor), int(60 * factor)
    result = tracker.track(frame(width, height))
    scaled = Box(*(factor * value for value in BOX))
    assert (result.box, result.expected, result.candidates) == (scaled, scaled, (Candidate(scaled, 0.7),))
    assert result.lead == Lead(scaled, 0.6, 7, 2)
    tracker.confirm(scaled)
    assert inner.calls[-1] == ("confirm", pytest.approx(BOX))
    assert result.region == Box(-10 * factor, 0, 50 * factor, 50 * factor)
    assert result.rotated == RotatedBox(20 * factor, 20 * factor, 8 * factor, 4 * factor, 0.5)
    assert result.mask.shape == (height, width)
    assert result.mask.sum() / 255 == pytest.approx(20 * 16 * factor**2)
    assert (inner.frames[-1].width, inner.frames[-1].height, inner.frames[-1].gap) == (80, 60, 3)


@pytest.mark.parametrize("mask", [None, np.ones((60, 80), np.uint8)])
def test_another_aspect_is_no_answer_of_the_tracker(mask):
    tracker, inner = started(mask=mask)
    tracker.track(frame(80, 60))
    result = tracker.track(frame(80, 70))
    assert (result.found, result.score, result.box) == (False, 0.0, BOX)
    assert "the image is 80 x 70 px now, the target was named on one of 80 x 60 px" in result.trouble
    assert (result.mask is None) == (mask is None)
    assert mask is None or (result.mask.shape == (70, 80) and not result.mask.any())
    assert len(inner.frames) == 1
    assert tracker.track(frame(80, 60)).trouble == ""


def test_a_new_target_begins_a_new_size():
    tracker, inner = started()
    tracker.init(frame(80, 70), Target(box=BOX))
    given = frame(80, 70)
    tracker.track(given)
    assert inner.frames[-1] is given
