from __future__ import annotations

import numpy as np
import pytest
from scripted_tracker import ScriptedTracker

from stm_tracker_ros.core.types import Box
from stm_tracker_ros.data.synthetic import Cover, OcclusionSequence
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation.occlusions import occlusion_table, run_occlusion, summarise_occlusions

pytestmark = pytest.mark.pure

TRUE, OFF = Box(10, 10, 20, 20), Box(60, 60, 20, 20)
FREE, PARTLY, FULL = [Cover.FREE], [Cover.PARTLY], [Cover.FULL]


@pytest.fixture
def made():
    """Free 0 to 4, partly 5, fully covered 6 to 25, partly 26, free 27 to 46."""
    cover = np.array(FREE * 5 + PARTLY + FULL * 20 + PARTLY + FREE * 20)
    image = np.zeros((90, 90, 3), np.uint8)
    boxes = np.tile(np.array(TRUE, float), (len(cover), 1))
    return OcclusionSequence(
        seed=3, scene="a/b", occluder="c/d", images=(image,) * len(cover), boxes=boxes, cover=cover
    )


def score(made, answers):
    return run_occlusion(ScriptedTracker(answers), made, StateConfig())[0]


def test_a_tracker_that_never_doubts_is_counted_from_the_11th_covered_frame(made):
    result = score(made, [(TRUE, 0.9)])
    assert result.covered == 20
    assert result.tracking_while_covered == 10
    assert result.lost_while_covered == 0
    assert result.frames_to_find == 0
    assert result.mean_iou_before == result.mean_iou_after == 1


def test_an_honest_tracker_that_finds_the_target_again(made):
    answers = [(TRUE, 0.9)] * 6 + [(OFF, 0.05)] * 24 + [(TRUE, 0.9)]
    result = score(made, answers)
    assert result.tracking_while_covered == 0
    assert result.lost_while_covered > 0
    assert result.frames_to_find == 30 - 26
    assert result.mean_iou_after == pytest.approx(17 / 20)


def test_a_target_never_found_again_says_so(made):
    result = score(made, [(TRUE, 0.9)] * 6 + [(OFF, 0.05)])
    assert result.frames_to_find is None
    summary = summarise_occlusions([result, score(made, [(TRUE, 0.9)])])
    assert (summary["occlusions"], summary["honest"], summary["found_within_15"]) == (2, 1, 1)
    text = occlusion_table(summary)
    assert "never" in text
    assert "honest 1 of 2" in text
