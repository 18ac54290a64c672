from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from scripted_tracker import ScriptedTracker

from stm_tracker_ros.core.types import Box
from stm_tracker_ros.data.sequence import read_sequences
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation.multi_start import measurement
from stm_tracker_ros.evaluation.one_pass import Options
from stm_tracker_ros.evaluation.report import FIGURES
from stm_tracker_ros.evaluation.trajectory import read_trajectory
from stm_tracker_ros.evaluation.work import work_off

pytestmark = pytest.mark.pure

TRUE, OFF = Box(10, 20, 16, 24), Box(60, 20, 16, 24)


def write_sequence(folder, count, absent=range(0)):
    folder.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((80, 97, 3), number, np.uint8))
    lines = ("nan,nan,nan,nan" if n in absent else ",".join(map(str, TRUE)) for n in range(count))
    (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def data(tmp_path):
    write_sequence(tmp_path / "data/UAVDT/long", 41)
    write_sequence(tmp_path / "data/VOT/short", 5)
    return tmp_path / "data"


def measure(data, starts, **options):
    return measurement(read_sequences(data), starts, Options(state_config=StateConfig(), **options))


def test_a_sequence_has_the_mean_of_its_runs_and_all_the_mean_of_sequences(data, tmp_path):
    # Right up to frame 10 of each run, then off: of 41 frames as of 21.
    tracker, out = ScriptedTracker([(TRUE, 0.9)] * 11 + [(OFF, 0.9)]), tmp_path / "out"
    measured = measure(data, 3)
    steps = list(work_off(measured.items, tracker, out))
    assert len(steps) == sum(item.frames for item in measured.items) == 41 + 21 + 41 + 2 * 5 + 3
    summary = measured.summarise(out, {})
    long, short = summary["sequences"]["UAVDT/long"], summary["sequences"]["VOT/short"]
    assert [(run["anchor"], run["backward"], run["frames"]) for run in long["runs"]] == [
        (0, False, 41),
        (20, False, 21),
        (40, True, 41),
    ]
    assert [run["ao"] for run in long["runs"]] == [10 / 40, 10 / 20, 10 / 40]
    assert [run["robustness"] for run in long["runs"]] == [10 / 40, 10 / 20, 10 / 40]
    assert long["ao"] == long["robustness"] == pytest.approx(1 / 3)
    assert long["frames"] == 103
    assert [run["anchor"] for run in short["runs"]] == [0, 2, 4]
    assert (short["ao"], short["robustness"]) == (1, 1)
    assert summary["ao"] == summary["robustness"] == pytest.approx(2 / 3)
    assert summary["groups"]["aerial"]["robustness"] == pytest.approx(1 / 3)
    assert (summary["sequence_count"], summary["frames"]) == (2, 116)
    assert {*FIGURES, "robustness", "ms_per_frame"} <= set(long)
    head, *_, last = measured.table(summary).splitlines()
    assert "robustness" in head.split()
    assert "0.6667" in last


def test_every_run_has_a_folder_and_what_is_finished_is_not_run_again(data, tmp_path):
    measured, out = measure(data, 2, max_frames=4, fps=10.0), tmp_path / "out"
    list(work_off(measured.items, ScriptedTracker([(TRUE, 0.9)]), out))
    run = out / "UAVDT/long/start_000040"
    assert read_trajectory(run / "trajectory.csv").stamps_ns.tolist() == [n * 100_000_000 for n in range(4)]
    assert len((run / "milliseconds.csv").read_text().splitlines()) == 4
    (run / "trajectory.csv").unlink()
    again = ScriptedTracker([(TRUE, 0.9)])
    list(work_off(measured.items, again, out))
    assert len(again.seen) == 4
    assert int(again.seen[0].bgr()[0, 0, 0]) == 40


def test_a_run_that_failed_is_in_no_figure_and_the_others_of_its_sequence_are(data, tmp_path):
    measured, out, failed = measure(data, 2), tmp_path / "out", {}
    (data / "UAVDT/long/40.png").write_bytes(b"no image")
    tracker = ScriptedTracker([(TRUE, 0.9)])
    list(work_off(measured.items, tracker, out, lambda name, error: failed.update({name: str(error)})))
    assert list(failed) == ["UAVDT/long/start_000040"]
    summary = measured.summarise(out, failed)
    assert [run["anchor"] for run in summary["sequences"]["UAVDT/long"]["runs"]] == [0]
    assert summary["sequences"]["UAVDT/long"]["runs"][0]["unreadable"] == [40]
    assert list(summary["failed"]) == ["UAVDT/long/start_000040"]


def test_a_sequence_without_a_run_is_a_failure(data):
    write_sequence(data / "VOT/gone", 9, absent=range(2, 9))
    assert list(measure(data, 2).failed) == ["VOT/gone"]


def test_runs_are_flown_in_real_time_as_well(data, tmp_path):
    measured, out = measure(data, 2, real_time=True, fps=0.1, max_frames=3), tmp_path / "out"
    list(work_off(measured.items, ScriptedTracker([(TRUE, 0.9)]), out))
    assert json.loads((out / "VOT/short/start_000004/flight.json").read_text())["tracked"] == 2
    assert measured.summarise(out, {})["tracked"] == 4 * 2
