from __future__ import annotations

import numpy as np
import pytest
from scripted_tracker import ScriptedTracker

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.data.synthetic import Cover, OcclusionSequence
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation.occlusions import (
    measurement,
    occlusion_table,
    read_score,
    run_occlusion,
    summarise_occlusions,
)
from stm_tracker_ros.evaluation.trajectory import read_trajectory

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


@pytest.fixture
def score(made, tmp_path):
    def score(answers):
        done = list(run_occlusion(ScriptedTracker(answers), made, tmp_path / "out", state_config=StateConfig()))
        assert done == list(range(1, len(made.images) + 1))
        assert len(read_trajectory(tmp_path / "out/trajectory.csv").boxes) == len(made.images)
        return read_score(tmp_path / "out/score.json")

    return score


def test_a_tracker_that_never_doubts_is_counted_from_the_11th_covered_frame(score):
    result = score([(TRUE, 0.9)])
    assert result.covered == 20
    assert result.tracking_while_covered == 10
    assert result.lost_while_covered == 0
    assert result.frames_to_find == 0
    assert result.mean_iou_before == result.mean_iou_after == 1


def test_a_tracker_without_false_tracking_that_finds_the_target_again(score):
    answers = [(TRUE, 0.9)] * 6 + [(OFF, 0.05)] * 24 + [(TRUE, 0.9)]
    result = score(answers)
    assert result.tracking_while_covered == 0
    assert result.lost_while_covered > 0
    assert result.frames_to_find == 30 - 26
    assert result.mean_iou_after == pytest.approx(17 / 20)


def test_a_target_never_found_again_says_so(score):
    result = score([(TRUE, 0.9)] * 6 + [(OFF, 0.05)])
    assert result.frames_to_find is None
    summary = summarise_occlusions([result, score([(TRUE, 0.9)])])
    assert (summary["occlusions"], summary["without_false_tracking"], summary["found_within_15"]) == (2, 1, 1)
    assert summary["false_tracking_rate"] == 10 / 20  # frames 11 to 20 covered ones, of both
    text = occlusion_table(summary)
    assert "never" in text
    assert "no false tracking in 1 of 2 (false-tracking rate 0.5000)" in text


def test_of_no_seed_finished_there_is_no_figure_and_no_line(tmp_path):
    measured = measurement(tmp_path, [20, 21], StateConfig())
    assert [item.name for item in measured.items] == ["occlusion/020", "occlusion/021"]
    summary = measured.summarise(tmp_path, {"occlusion/020": "why"})
    assert summary == {"occlusions": 0, "seeds": [], "failed": {"occlusion/020": "why"}}
    assert measured.table(summary) == ""


def test_something_else_is_no_score(tmp_path):
    for text in ("", "[]", '{"seed": 3}'):
        (tmp_path / "score.json").write_text(text)
        with pytest.raises(DataError, match="score of an occlusion"):
            read_score(tmp_path / "score.json")
