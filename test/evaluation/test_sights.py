"""What a calibration is fitted on: which frames are judged, what counts as right, and that nobody is disturbed."""

from __future__ import annotations

import pickle
from collections.abc import Sequence as Rows
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scripted_matcher import START, ScriptedMatcher, config_of, frame_at, right
from scripted_tracker import ScriptedTracker

from stm_tracker_ros.core.errors import ConfigError, DataError
from stm_tracker_ros.core.matching import Candidates, Look
from stm_tracker_ros.data.sequence import Sequence
from stm_tracker_ros.data.starts import runs_of
from stm_tracker_ros.evaluation import sights
from stm_tracker_ros.evaluation.sights import Scene, SightsItem
from stm_tracker_ros.evaluation.work import work_off
from stm_tracker_ros.following.calibration import Calibration, Sight, as_scored
from stm_tracker_ros.following.follower import Follower

pytestmark = pytest.mark.pure

COUNT, GONE, FAR = 20, range(8, 12), range(15, 20)
# Frame 13 is neither with the target nor without it; from FAR on the truth is elsewhere.
PRESENT = np.array([index not in GONE and index != 13 for index in range(COUNT)])
ABSENT = np.array([index in GONE for index in range(COUNT)])


def boxes() -> np.ndarray:
    made = np.tile(np.array(START), (COUNT, 1))
    made[FAR.start :, 0] += 300
    made[GONE.start : GONE.stop] = np.nan
    return made


def scene() -> Scene:
    frames = (frame_at(number) for number in range(1, COUNT + 1))
    return Scene(recording="some video", frames=frames, boxes=boxes(), present=PRESENT, absent=ABSENT)


class Leaving(ScriptedMatcher):
    """Sees the target in its place, and nothing while it is gone."""

    def match(self, looks: Rows[Look]) -> list[Candidates]:
        self.sights = [] if looks[0].number - 1 in GONE else [right(0, 0.8)]
        return super().match(looks)


def gathered(folder: Path, calibration: Calibration | None = None) -> sights.Judged:
    tracker = Follower(Leaving(), config_of(), calibration)
    before = tracker.probability
    item = SightsItem(name="some/run", frames=COUNT, make=scene)
    assert not item.is_finished(folder / item.name)
    assert [done for _, done in work_off([item], tracker, folder)] == list(range(2, COUNT + 1))
    assert item.is_finished(folder / item.name)
    assert tracker.probability == before
    return sights.read(folder / "some/run/sights.json")


def test_each_judged_frame_says_what_was_known_and_whether_it_was_right(tmp_path: Path) -> None:
    judged = gathered(tmp_path)
    frames = [index for index in range(1, COUNT) if index != 13]
    assert judged.recording == "some video"
    assert judged.present.tolist() == [index not in GONE for index in frames]
    assert judged.right.tolist() == [index not in GONE and index not in FAR for index in frames]
    known = [Sight(*row) for row in judged.sights.tolist()]
    assert [sight.unseen for sight in known] == [
        max(index - GONE.start + 1, 0) if index in GONE else 0 for index in frames
    ]
    assert known[0].score == pytest.approx(0.8)


def test_a_calibration_that_the_tracker_has_changes_nothing(tmp_path: Path) -> None:
    made = Calibration(bias=-9.0, weights={"score": 1.0, "unseen": 0.0, "rival": 0.0})
    plain, calibrated = gathered(tmp_path / "plain"), gathered(tmp_path / "calibrated", made)
    assert (plain.sights == calibrated.sights).all()


def test_a_box_is_cut_at_the_picture_where_the_truth_is(tmp_path: Path) -> None:
    def half_outside() -> Scene:
        whole = scene()
        size = (int(START.x + START.width / 2), 480)
        truth = np.tile(np.array((START.x, START.y, START.width / 2, START.height)), (COUNT, 1))
        return Scene(recording="r", frames=whole.frames, boxes=truth, present=PRESENT, absent=~PRESENT, size=size)

    item = SightsItem(name="cut/run", frames=COUNT, make=half_outside)
    list(work_off([item], Follower(Leaving(), config_of()), tmp_path))
    judged = sights.read(tmp_path / "cut/run/sights.json")
    assert judged.right.tolist() == judged.present.tolist()


def test_the_tracker_is_itself_again_after_an_error(tmp_path: Path) -> None:
    def ending() -> Scene:
        raise DataError("no such video")

    tracker = Follower(Leaving(), config_of())
    failed: dict[str, str] = {}
    item = SightsItem(name="some/run", frames=COUNT, make=ending)
    list(work_off([item], tracker, tmp_path, lambda name, error: failed.update({name: str(error)})))
    assert failed == {"some/run": "no such video"}
    assert tracker.probability is as_scored


def test_trackers_of_their_own_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only what the following stage answers"):
        list(SightsItem(name="some/run", frames=COUNT, make=scene).run(ScriptedTracker([(START, 0.9)]), tmp_path))


def test_runs_of_a_sequence_are_judged_where_it_has_boxes() -> None:
    sequence = Sequence(name="DAVIS2017-val/dogs_2", path=Path("nowhere"), boxes=boxes())
    (run,) = runs_of(sequence, 1)
    made = sights.of_run(run)
    assert made.recording == "DAVIS2017-val/dogs"
    assert made.absent.tolist() == [index in GONE for index in range(COUNT)]
    assert (made.present == ~made.absent).all()
    item = SightsItem(name=run.name, frames=COUNT, make=partial(sights.of_run, run))
    assert pickle.loads(pickle.dumps(item)).name == run.name


@pytest.mark.parametrize("content", ["", "[]", '{"sight": ["luck"], "recording": "r", "rows": []}', '{"rows": 3}'])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "sights.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"sights.json"):
        sights.read(path)
