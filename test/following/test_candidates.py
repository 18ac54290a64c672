"""One candidate for each object, the best first, and always the one that is followed."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from stm_tracker_ros.core.boxes import iou
from stm_tracker_ros.core.types import MOST_CANDIDATES, Box, Candidate
from stm_tracker_ros.following.candidates import distinct, published

pytestmark = pytest.mark.pure

SIZE = (20.0, 30.0)


def crowd(*objects: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """x and score of some objects; each has three candidates close together, the middle one scores most."""
    rows = [(x + shift, 10.0, *SIZE, score - abs(shift) / 100) for x, score in objects for shift in (-2.0, 0.0, 2.0)]
    table = np.array(rows).reshape(-1, 5)
    return table[:, :4], table[:, 4]


def test_of_each_object_the_best_candidate_stays_and_the_best_object_comes_first() -> None:
    objects = crowd((0.0, 0.4), (100.0, 0.8), (200.0, 0.2))
    assert distinct(*objects) == [4, 1, 7]
    assert published(*objects, [4, 1, 7]) == (
        Candidate(Box(100.0, 10.0, *SIZE), 0.8),
        Candidate(Box(0.0, 10.0, *SIZE), 0.4),
        Candidate(Box(200.0, 10.0, *SIZE), 0.2),
    )


@pytest.mark.parametrize(("followed", "boxes"), [(0, [100.0, -2.0]), (5, [102.0, 0.0])])
def test_the_one_that_is_followed_stands_for_its_object(followed: int, boxes: list[float]) -> None:
    objects = crowd((0.0, 0.4), (100.0, 0.8))
    found = published(*objects, distinct(*objects, followed))
    assert [candidate.box.x for candidate in found] == boxes


def test_the_one_that_is_followed_is_named_however_low_it_scores() -> None:
    boxes, scores = crowd((0.0, 0.01), *((100.0 * k, 0.9 - 0.1 * k) for k in range(1, 8)))
    found = published(boxes, scores, distinct(boxes, scores, 1))
    assert len(found) == MOST_CANDIDATES
    assert found[-1] == Candidate(Box(0.0, 10.0, *SIZE), 0.01)
    assert [candidate.box.x for candidate in found[:-1]] == [100.0, 200.0, 300.0, 400.0]


def test_the_background_looks_like_nothing() -> None:
    assert distinct(*crowd((0.0, 0.05), (100.0, 0.09))) == []
    assert distinct(*crowd()) == []


def test_scores_are_cut_to_shares() -> None:
    boxes, scores = crowd((0.0, 1.7), (100.0, -0.2))
    assert [candidate.score for candidate in published(boxes, scores, [1, 4])] == [1.0, 0.0]
    assert scores[4] == -0.2


def test_of_any_crowd_those_that_stay_are_apart_and_in_order() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        boxes = np.concatenate([rng.uniform(0, 80, (196, 2)), rng.uniform(0, 60, (196, 2))], 1)
        scores = rng.uniform(0, 1, 196)
        found = published(boxes, scores, distinct(boxes, scores, int(rng.integers(196))))
        assert 0 < len(found) <= MOST_CANDIDATES
        overlaps = [iou(a.box, b.box) for index, a in enumerate(found) for b in found[:index]]
        assert max(overlaps, default=0.0) <= 0.3 + 1e-9
        said = [candidate.score for candidate in found]
        assert said == sorted(said, reverse=True)


def test_importing_it_loads_no_torch() -> None:
    program = "import sys, stm_tracker_ros.following.candidates; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
