from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scripted_tracker import ScriptedTracker

from stm_tracker_ros.core.errors import DataError
from stm_tracker_ros.core.types import Box, Frame, Target
from stm_tracker_ros.data.sequence import read_sequences
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation.one_pass import Options, measurement
from stm_tracker_ros.evaluation.report import summarise, table
from stm_tracker_ros.evaluation.runner import follow
from stm_tracker_ros.evaluation.trajectory import COLUMNS, read_times, read_trajectory
from stm_tracker_ros.evaluation.work import work_off

pytestmark = pytest.mark.pure

GIVEN = Box(10.1, 20.2, 30.3, 40.4)
OFF = Box(40.0, 20.2, 30.3, 40.4)


def write_sequence(root, name, boxes):
    folder = root / name
    folder.mkdir(parents=True)
    writer = cv2.VideoWriter(str(folder / "video.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, (96, 80))
    for number in range(len(boxes)):
        writer.write(np.full((80, 96, 3), number, np.uint8))
    writer.release()
    (folder / "groundtruth.txt").write_text("".join(",".join(map(repr, map(float, box))) + "\n" for box in boxes))


@pytest.fixture
def root(tmp_path):
    write_sequence(tmp_path / "data", "UAVDT/near", [GIVEN] * 4)
    write_sequence(tmp_path / "data", "VOT/far", [GIVEN, GIVEN, (np.nan,) * 4, GIVEN, GIVEN])
    return tmp_path / "data"


def stream(count):
    image = np.zeros((80, 96, 3), np.uint8)
    return (Frame(image=image, stamp_ns=round(i * 1e9 / 30)) for i in range(count))


def test_the_first_row_is_the_given_box_and_the_raw_box_stays_while_lost():
    tracker = ScriptedTracker([(GIVEN, 0.9)] * 3 + [(OFF, 0.01)])
    rows = [step.row for step in follow(tracker, stream(30), Target(box=GIVEN), StateConfig())]
    assert rows[0].box == GIVEN
    assert [row.state for row in rows[:3]] == ["TRACKING"] * 3
    assert (rows[-1].state, rows[-1].box, rows[-1].score) == ("LOST", OFF, 0.01)


def test_every_answered_frame_is_memorized_once_after_its_answer():
    tracker = ScriptedTracker([(GIVEN, 0.9)])
    list(follow(tracker, stream(5), Target(box=GIVEN), StateConfig()))
    assert tracker.memorized == [frame.stamp_ns for frame in tracker.seen[1:]]


def test_a_stream_of_nothing_is_refused():
    with pytest.raises(DataError, match="no frame"):
        list(follow(ScriptedTracker([]), stream(0), Target(box=GIVEN), StateConfig()))


def run(tracker, root, out, **options):
    sequences = read_sequences(root)
    items = measurement(sequences, Options(state_config=StateConfig(), **options)).items
    steps = list(work_off(items, tracker, out))
    return steps, sequences


def test_one_pass_writes_what_scoring_reads(root, tmp_path):
    tracker = ScriptedTracker([(GIVEN, 0.5), (GIVEN, 0.123456789012345678), (OFF, 0.9), (GIVEN, 0.9), (OFF, 0.9)])
    steps, sequences = run(tracker, root, tmp_path / "out")
    assert steps == [("UAVDT/near", i) for i in (1, 2, 3, 4)] + [("VOT/far", i) for i in (1, 2, 3, 4, 5)]
    path = tmp_path / "out/VOT/far/trajectory.csv"
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    trajectory = read_trajectory(path)
    np.testing.assert_array_equal(trajectory.boxes[[0, 4]], [GIVEN, OFF])
    assert trajectory.scores[1] == 0.123456789012345678
    assert trajectory.stamps_ns[3] == 100_000_000
    assert (read_times(tmp_path / "out/VOT/far/milliseconds.csv") >= 0).all()

    summary = summarise(tmp_path / "out", sequences=sequences)
    # Absent frame 2 and the given first one do not count: of frames 1, 3, 4 two are perfect, and one is off by 29.9 px.
    far = summary["sequences"]["VOT/far"]
    overlap = (30.3 - 29.9) / (30.3 + 29.9)
    assert far["ao"] == pytest.approx((2 + overlap) / 3)
    assert far["precision_20"] == pytest.approx(2 / 3)
    assert far["frames"] == 5
    assert summary["groups"]["aerial"]["success_auc"] == summary["sequences"]["UAVDT/near"]["success_auc"]
    both = [s["success_auc"] for s in summary["sequences"].values()]
    assert summary["success_auc"] == pytest.approx(sum(both) / 2)
    assert set(summary["ms_per_frame"]) == {"p20", "p50", "p95", "p99"}
    assert "VOT/far" in table(summary)


def test_success_auc_of_a_perfect_run_is_the_papers_20_of_21(root, tmp_path):
    _, sequences = run(ScriptedTracker([(GIVEN, 0.9)]), root, tmp_path / "out")
    assert summarise(tmp_path / "out", sequences=sequences)["success_auc"] == pytest.approx(20 / 21)


def test_a_finished_sequence_is_not_run_again(root, tmp_path):
    run(ScriptedTracker([(GIVEN, 0.9)]), root, tmp_path / "out")
    idle = ScriptedTracker([])
    steps, _ = run(idle, root, tmp_path / "out")
    assert steps == [("UAVDT/near", 4), ("VOT/far", 5)]
    assert idle.seen == []


def test_fewer_frames_are_scored_as_such(root, tmp_path):
    _, sequences = run(ScriptedTracker([(GIVEN, 0.9)]), root, tmp_path / "out", max_frames=3)
    assert summarise(tmp_path / "out", sequences=sequences, max_frames=3)["sequences"]["UAVDT/near"]["frames"] == 3


def test_a_sequence_without_a_frame_to_score_is_named_and_costs_the_others_nothing(root, tmp_path):
    _, sequences = run(ScriptedTracker([(GIVEN, 0.9)]), root, tmp_path / "out", max_frames=3)
    near, far = sorted(sequences, key=lambda s: s.name)
    near = replace(near, boxes=np.where(np.arange(len(near.boxes))[:, None] > 0, np.nan, near.boxes))
    summary = summarise(tmp_path / "out", {"VOT/gone": "no video"}, sequences=[near, far], max_frames=3)
    assert list(summary["sequences"]) == ["VOT/far"]
    assert list(summary["failed"]) == ["VOT/gone", "UAVDT/near"]
    assert "frames can be scored" in summary["failed"]["UAVDT/near"]
    assert summarise(tmp_path / "out", sequences=[near])["sequence_count"] == 0


def test_a_video_shorter_than_its_annotation_is_refused_and_leaves_no_trajectory(root, tmp_path):
    with (root / "VOT/far/groundtruth.txt").open("a") as file:
        file.write("1,2,3,4\n")
    with pytest.raises(DataError, match="5 frames and 6 boxes"):
        run(ScriptedTracker([(GIVEN, 0.9)]), root, tmp_path / "out")
    assert not (tmp_path / "out/VOT/far/trajectory.csv").exists()


def test_something_else_is_no_trajectory(tmp_path):
    path = tmp_path / "trajectory.csv"
    for text in ("", "a,b\n1,2\n", ",".join(COLUMNS) + "\n0,0,1,2\n"):
        path.write_text(text)
        with pytest.raises(DataError, match="trajectory"):
            read_trajectory(path)


def test_a_step_says_for_how_long_the_target_was_not_seen():
    tracker = ScriptedTracker([(GIVEN, 0.9)] * 3 + [(OFF, 0.01)])
    steps = list(follow(tracker, stream(30), Target(box=GIVEN), StateConfig()))
    assert [step.unseen_s for step in steps[:3]] == [0.0] * 3
    last_seen = max(step.index for step in steps if step.state.name == "TRACKING")
    assert steps[-1].unseen_s == pytest.approx((29 - last_seen) / 30)
