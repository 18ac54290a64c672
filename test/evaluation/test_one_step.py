"""One step with true region and memory, and tracking with a true memory: who is told what, what is counted."""

from __future__ import annotations

import json
from collections.abc import Sequence as Rows
from typing import Any

import cv2
import numpy as np
import pytest
from scripted_tracker import ScriptedTracker

from stm_tracker_ros.core.errors import ConfigError
from stm_tracker_ros.core.matching import Candidates, Evidence, Floats, Look
from stm_tracker_ros.core.types import Box, Target
from stm_tracker_ros.data.sequence import read_sequences
from stm_tracker_ros.engine.config import StateConfig
from stm_tracker_ros.evaluation import one_pass, one_step
from stm_tracker_ros.evaluation.one_step import area_under_roc, size_noise
from stm_tracker_ros.evaluation.work import work_off
from stm_tracker_ros.following.config import FollowingConfig
from stm_tracker_ros.following.follower import Follower

pytestmark = pytest.mark.pure

SIDE = 30


def true_box(number: int) -> Box:
    return Box(60.0 + 2 * number, 80.0, SIDE, SIDE)


class SquareMatcher:
    """Sees the white square, a tenth wider than it is, and something beside it that scores `distractor`."""

    crop_size = 128

    def __init__(self, distractor: float = 0.3) -> None:
        self.distractor = distractor
        self.looks: list[Look] = []
        self.remembered: list[Box] = []

    def start(self, look: Look, target: Target) -> Candidates:
        self.remembered = [look.expected]
        return self.match([look])[0]

    def match(self, looks: Rows[Look]) -> list[Candidates]:
        self.looks += looks
        return [self._seen(look) for look in looks]

    def settle(self, look: Look, candidates: Candidates, chosen: int | None, rank: float) -> None:
        assert chosen == 0

    def anchor_scores(self, look: Look, candidates: Candidates) -> Floats:
        return candidates.scores

    def remember(self, look: Look, candidates: Candidates, chosen: int, box: Box, evidence: Evidence) -> None:
        self.remembered.append(box)

    def reconfigure(self, config: Any) -> None:
        raise AssertionError("nobody asks for it")

    def _seen(self, look: Look) -> Candidates:
        white = (look.patch[..., 0] > 127).astype(np.uint8)
        x, y, width, height = cv2.boundingRect(white)
        boxes = np.array([(x, y, 1.1 * width, height), (0.0, 0.0, 10.0, 10.0)])
        scores = np.array([0.8, self.distractor])
        return Candidates(crop=look.crop, boxes=boxes, scores=scores, grid=(1, 2, 1))


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data/VOT/square"
    folder.mkdir(parents=True)
    lines = []
    for number in range(31):
        image = np.zeros((200, 260, 3), np.uint8)
        x, y, width, height = (int(value) for value in true_box(number))
        image[y : y + height, x : x + width] = 255
        cv2.imwrite(str(folder / f"{number:02d}.png"), image)
        lines.append("nan,nan,nan,nan" if number == 10 else ",".join(map(str, true_box(number))))
    (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "data"


def steps(data, out, matcher):
    measured = one_step.measurement(read_sequences(data), 30.0, None)
    list(work_off(measured.items, Follower(matcher, FollowingConfig()), out))
    return measured.summarise(out, {}), measured.table


def test_each_step_has_the_true_region_and_is_remembered_with_the_true_box(data, tmp_path):
    matcher = SquareMatcher()
    summary, table = steps(data, tmp_path / "out", matcher)
    looked = [0, 5, 15, 20, 25, 30]  # the target is absent from frame 10
    assert [look.number for look in matcher.looks] == [1 + number for number in looked]
    assert matcher.remembered == [true_box(number) for number in looked]
    off = [np.subtract(look.expected.center, true_box(n).center) for look, n in zip(matcher.looks, looked, strict=True)]
    assert not off[0].any()
    assert all(0 < np.abs(error).max() < 0.4 * SIDE for error in off[1:])
    row = summary["sequences"]["VOT/square"]
    assert row["looks"] == 5
    assert row["overlap"] == pytest.approx(1 / 1.1, abs=0.03)
    assert summary["score_auc"] == 1.0
    assert "VOT/square" in table(summary)
    on_disk = json.loads((tmp_path / "out/VOT/square/steps.json").read_text())
    assert [step["target"] for step in on_disk] == [0.8] * 5
    assert on_disk[0]["log_sides"] == pytest.approx([np.log(1.1), 0], abs=0.03)


def test_the_best_raw_score_is_what_is_measured(data, tmp_path):
    summary, _ = steps(data, tmp_path / "out", SquareMatcher(distractor=0.9))
    assert summary["overlap"] < 0.1
    assert summary["score_auc"] == 0.0


def test_the_same_looks_are_drawn_every_time(data, tmp_path):
    first, second = SquareMatcher(), SquareMatcher()
    steps(data, tmp_path / "one", first)
    steps(data, tmp_path / "two", second)
    assert [look.expected for look in first.looks] == [look.expected for look in second.looks]


def test_an_oracles_memory_holds_the_true_boxes_and_nothing_where_there_is_none(data, tmp_path):
    told = {}
    for oracle in (False, True):
        matcher = SquareMatcher()
        options = one_pass.Options(state_config=StateConfig(), oracle_memory=oracle)
        measured = one_pass.measurement(read_sequences(data), options)
        list(work_off(measured.items, Follower(matcher, FollowingConfig()), tmp_path / str(oracle)))
        told[oracle] = matcher.remembered
    assert told[True] == [true_box(number) for number in range(31) if number != 10]
    assert len(told[False]) == 31
    assert all(box.width > SIDE + 1 for box in told[False][10:])


@pytest.mark.parametrize("oracle", [True, False])
def test_a_tracker_without_a_matcher_is_refused(data, tmp_path, oracle):
    sequences, tracker = read_sequences(data), ScriptedTracker([(true_box(0), 0.9)])
    options = one_pass.Options(state_config=StateConfig(), oracle_memory=True)
    measured = one_pass.measurement(sequences, options) if oracle else one_step.measurement(sequences, 30.0, None)
    with pytest.raises(ConfigError, match="oracle-memory" if oracle else "one-step"):
        list(work_off(measured.items, tracker, tmp_path / "out"))


def test_the_area_under_the_roc_is_a_probability():
    draw = np.random.default_rng(0)
    positive, negative = draw.normal(0.5, 1, 40).round(1), draw.normal(0, 1, 30).round(1)
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    assert area_under_roc(positive, negative) == pytest.approx(np.mean(pairs))
    assert area_under_roc(positive, negative[:0]) is None


def test_the_noise_of_a_size_is_told_by_its_share_of_the_usual_score():
    def look(score: float, log: float, overlap: float = 0.8) -> one_step.Step:
        return one_step.Step(
            frame=5, score=score, overlap=overlap, log_sides=(log, -log), target=score, distractor=float("nan")
        )

    usual = [look(0.8, 0.1), look(0.8, -0.1), look(0.8, 0.1)]
    rows = size_noise([[*usual, look(0.6, 0.3), look(0.8, 9.0, overlap=0.2)]])
    assert rows == [
        {"share": 0.7, "looks": 1, "variance": pytest.approx(0.09)},
        {"share": 0.95, "looks": 3, "variance": pytest.approx(0.01)},
    ]
