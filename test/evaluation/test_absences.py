from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scripted_tracker import ScriptedTracker

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.data.absences.footage import Footage
from stm_tracker_ros.data.absences.made import AbsenceSequence
from stm_tracker_ros.data.absences.plan import Kind, conditions_of
from stm_tracker_ros.data.sequence import Sequence
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation.absences import (
    AbsenceScore,
    absence_table,
    figures,
    long_term,
    read_score,
    run_absence,
    summarise_absences,
)
from stm_tracker_ros.evaluation.run_files import SCORE_NAME
from stm_tracker_ros.evaluation.trajectory import read_trajectory

pytestmark = pytest.mark.pure

TRUE, OFF = Box(10, 10, 20, 20), Box(60, 60, 20, 20)
COUNT, LEFT, RETURNED = 150, 30, 70


class Made(AbsenceSequence):
    """Grey pictures: the scripted tracker looks at none."""

    def images(self):
        return iter([np.zeros((90, 90, 3), np.uint8)] * len(self.here))


@pytest.fixture
def made() -> Made:
    """In sight 0 to 29, away 30 to 69, back 70 to 149, always at the same place."""
    here = np.ones(COUNT, bool)
    here[LEFT:RETURNED] = False
    scene = Sequence(name="a/b", path=Path("a/b"), boxes=np.tile(np.array(TRUE, float), (COUNT, 1)))
    return Made(
        conditions=conditions_of(Kind.CUT_BACK, 3),
        footage=Footage(scene=scene, order=np.arange(COUNT)),
        windows=np.tile([0.0, 0.0, 90.0, 90.0], (COUNT, 1)),
        picture_size=(90, 90),
        here=here,
        leaves=LEFT,
        settled=RETURNED,
    )


@pytest.fixture
def score(made, tmp_path):
    def run(answers) -> AbsenceScore:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        steps = list(run_absence(ScriptedTracker(answers), made, folder, state_config=StateConfig()))
        assert steps == list(range(1, COUNT + 1))
        assert len(read_trajectory(folder / "trajectory.csv").boxes) == COUNT
        return read_score(folder / SCORE_NAME)

    return run


def test_a_tracker_that_never_doubts(score):
    result = score([(TRUE, 0.9)])
    assert (result.absent, result.tracking_absent) == (40, 40)
    assert (result.absent_after_grace, result.tracking_absent_after_grace) == (30, 30)
    assert result.found_s == 0
    assert result.lost_s is None
    assert (result.seen, result.tracking_other) == (COUNT - 40 - 1, 0)
    assert result.search_regions == pytest.approx(90 * 90 / (3.5**2 * 400))
    assert (result.kind, result.seed, result.scene) == ("cut_back", 3, "a/b")
    assert result.mean_iou_before == 1


def test_one_that_is_lost_and_finds_it_again(score):
    answers = [(TRUE, 0.9)] * LEFT + [(OFF, 0.05)] * 52 + [(TRUE, 0.9)]
    result = score(answers)
    state = StateConfig()
    assert result.tracking_absent == 0
    assert result.lost_s == pytest.approx(state.lost_after_ms / 1e3, abs=0.04)
    first_good = LEFT + 52
    assert result.found_s == pytest.approx((first_good - RETURNED) / 30 + state.found_after_ms / 1e3, abs=0.04)


def test_nine_frames_are_not_found_and_another_object_is_counted(score):
    back = [(TRUE, 0.9)] * 9 + [(OFF, 0.9)] * 21
    result = score([(TRUE, 0.9)] * RETURNED + back + [(OFF, 0.9)])
    assert result.found_s is None
    assert result.tracking_other == COUNT - RETURNED - 9
    assert score([(TRUE, 0.9)] * (RETURNED + 10) + [(OFF, 0.9)]).found_s == 0


def test_a_target_that_never_returns_asks_for_nothing_then(made, tmp_path):
    here = made.here.copy()
    here[LEFT:] = False
    gone = replace(made, here=here)
    list(run_absence(ScriptedTracker([(TRUE, 0.9)]), gone, tmp_path, state_config=StateConfig()))
    result = read_score(tmp_path / SCORE_NAME)
    assert not result.returns
    assert result.found_s is None
    assert result.absent == COUNT - LEFT
    assert figures([result])["found_within"]["1"] is None


def test_boxes_count_as_far_as_they_lie_in_the_picture(made, tmp_path):
    moved = replace(made, windows=made.windows + [20.0, 0.0, 0.0, 0.0])
    assert moved.boxes[0].tolist() == [0, 10, 10, 20]
    list(run_absence(ScriptedTracker([(Box(-10, 10, 20, 20), 0.9)]), moved, tmp_path, state_config=StateConfig()))
    assert read_score(tmp_path / SCORE_NAME).tracking_other == 0


def test_precision_recall_and_f_against_brute_force():
    rng = np.random.default_rng(0)
    overlaps = [None if rng.random() < 0.3 else float(rng.random()) for _ in range(200)]
    scores = [None if rng.random() < 0.2 else round(float(rng.random()), 1) for _ in range(200)]
    best = (0.0, 0.0, 0.0)
    for threshold in sorted({value for value in scores if value is not None}):
        answered = [o or 0.0 for o, s in zip(overlaps, scores, strict=True) if s is not None and s >= threshold]
        precision, recall = np.mean(answered), sum(answered) / sum(o is not None for o in overlaps)
        best = max(best, (2 * precision * recall / (precision + recall), precision, recall))
    found = long_term(overlaps, scores)
    assert (found["f"], found["precision"], found["recall"]) == pytest.approx(best)
    assert long_term([None, None], [0.5, 0.5])["f"] is None
    assert long_term([0.5], [None])["f"] is None


def test_the_table_and_the_summary(score):
    quick = score([(TRUE, 0.9)])
    never = score([(TRUE, 0.9)] * LEFT + [(OFF, 0.05)])
    slow = replace(quick, kind="border", seed=7, found_s=1.5, search_regions=50.0)
    summary = summarise_absences([quick, never, slow])
    json.dumps(summary)
    assert summary["absences"] == 3
    assert summary["all"]["found_within"] == {"0.5": 1 / 3, "1": 1 / 3, "2": 2 / 3, "5": 2 / 3}
    assert summary["all"]["false_tracking_rate"] == pytest.approx(80 / 120)
    assert list(summary["kinds"]) == ["cut_back", "border"]
    assert list(summary["regions"]) == ["0-5 regions", "40-inf regions"]
    assert [row["seed"] for row in summary["seeds"]] == [3, 3, 7]
    assert "overlaps" not in summary["seeds"][0]
    lines = absence_table(summary).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["cut_back", "border", "0-5", "40-inf", "all"]
    assert absence_table(summarise_absences([])) == ""


def test_what_is_no_score_is_refused(tmp_path):
    (tmp_path / SCORE_NAME).write_text('{"kind": "border"}')
    with pytest.raises(DataError, match="cannot be read as the score of an absence"):
        read_score(tmp_path / SCORE_NAME)
