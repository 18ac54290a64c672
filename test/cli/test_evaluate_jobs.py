"""`stm_tracker evaluate --jobs`, in processes of its own: killed ones, Ctrl-C, a parent that is gone."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from obedient_tracker import DIE, NEWS, WAIT, WAIT_FOR_AN_ORPHAN

from stm_tracker_ros.cli import main
from stm_tracker_ros.evaluation.results import read_evaluated

pytestmark = pytest.mark.pure

TEST = Path(__file__).parents[1]
PATIENCE_S = 120


def write_sequence(folder, count, told=0):
    """`told`: what the second picture says to the tracker."""
    folder.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((80, 97, 3), told if number == 1 else 0, np.uint8))
    (folder / "groundtruth.txt").write_text("10,20,16,24\n" * count)


class Evaluation:
    """The command at work; the news of trackers that were told to wait come through a pipe."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.folder, path = folder, folder / "news"
        if not path.exists():
            os.mkfifo(path)
        self.news = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        script, options = str(TEST / "evaluate_process.py"), ("--data", "data", "--out", "out", *more)
        paths = os.pathsep.join((str(TEST), str(TEST.parent), os.environ.get("PYTHONPATH", "")))
        self.process = subprocess.Popen(
            [sys.executable, script, "evaluate", *options],
            cwd=folder,
            env={**os.environ, NEWS: str(path), "PYTHONPATH": paths},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C goes to all of a terminal's processes
        )

    def waiting(self, count: int) -> list[int]:
        """Wait until that many trackers wait; their processes."""
        text = ""
        while text.count("\n") < count:
            assert select.select([self.news], [], [], PATIENCE_S)[0], "no news"
            assert (heard := os.read(self.news, 100)), "who waited has gone"
            text += heard.decode()
        return [int(line) for line in text.splitlines()]

    def end(self) -> tuple[int, str, str]:
        """Status, output, and what was said on stderr without the progress bar."""
        output, said = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, output, "\n".join(x for x in said.splitlines() if not x.startswith("evaluate:"))

    def summary(self):
        return json.loads((self.folder / "out/summary.json").read_text())


@pytest.fixture
def data(tmp_path):
    write_sequence(tmp_path / "data/A/nine", 9)
    write_sequence(tmp_path / "data/A/three", 3)
    return tmp_path / "data"


def test_a_killed_process_is_a_failure_and_the_others_are_scored(data, tmp_path):
    write_sequence(data / "A/deadly", 6, DIE)
    evaluation = Evaluation(tmp_path, "--jobs", "2")
    status, output, said = evaluation.end()
    assert status == 1
    assert "failed: A/deadly: the process that ran it was ended by SIGKILL" in said
    assert "Traceback" not in said
    summary = evaluation.summary()
    assert list(summary["sequences"]) == ["A/nine", "A/three"]
    assert list(summary["failed"]) == ["A/deadly"]
    assert "A/nine" in output


def test_ctrl_c_ends_all_processes_and_scores_what_is_finished(data, tmp_path):
    write_sequence(data / "A/waits", 6, WAIT)
    write_sequence(data / "A/waits_too", 5, WAIT)
    evaluation = Evaluation(tmp_path, "--jobs", "2")
    processes = evaluation.waiting(2)
    os.killpg(evaluation.process.pid, signal.SIGINT)
    status, output, said = evaluation.end()
    assert status == main.EXIT_INTERRUPTED
    assert said.strip() == ""
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    assert list(evaluation.summary()["sequences"]) == ["A/nine"]
    assert "A/nine" in output
    for name in ("waits", "waits_too"):
        cv2.imwrite(str(data / f"A/{name}/1.png"), np.zeros((80, 97, 3), np.uint8))
    again = Evaluation(tmp_path, "--jobs", "2")
    status, _, said = again.end()
    assert (status, said.strip()) == (0, "")
    assert len(again.summary()["sequences"]) == 4


def test_processes_whose_parent_is_gone_end_by_themselves(data, tmp_path):
    write_sequence(data / "A/waits", 60, WAIT_FOR_AN_ORPHAN)
    evaluation = Evaluation(tmp_path, "--jobs", "2")
    evaluation.waiting(1)
    evaluation.process.kill()
    evaluation.process.wait(PATIENCE_S)
    # The pipe comes to its end when the last process that holds it open has ended.
    assert select.select([evaluation.news], [], [], PATIENCE_S)[0]
    assert os.read(evaluation.news, 1) == b""
    assert not (tmp_path / "out/A/waits/trajectory.csv").exists()


def test_runs_from_several_starts_are_shared_as_well(data, tmp_path):
    evaluation = Evaluation(tmp_path, "--jobs", "2", "--starts", "3")
    assert evaluation.end()[0] == 0
    summary = evaluation.summary()
    assert [run["anchor"] for run in summary["sequences"]["A/nine"]["runs"]] == [0, 4, 8]
    assert summary["starts"] == 3
    assert summary["success_auc"] == pytest.approx(20 / 21)
    (read,) = read_evaluated([tmp_path / "out"])
    assert set(read.cases) == set(summary["sequences"])  # the settings beside them take no figure's name
