from __future__ import annotations

import numpy as np
import pytest

from stm_tracker_ros.core import metrics
from stm_tracker_ros.core.errors import DataError

pytestmark = pytest.mark.pure

NAN = float("nan")


def test_first_absent_and_empty_frames_do_not_count():
    truth = [(0, 0, 9, 9), (1, 1, 5, 5), (NAN,) * 4, (2, 2, 0, 5), (3, 3, 5, 5)]
    assert metrics.scored_frames(truth).tolist() == [False, True, False, False, True]


def test_overlaps_and_errors_by_hand():
    truth = [(0, 0, 10, 10)] * 4
    answers = [(90, 90, 1, 1), (0, 0, 10, 10), (5, 0, 10, 10), (NAN, 0, 10, 10)]
    np.testing.assert_allclose(metrics.overlaps(answers, truth), [1, 1 / 3, 0])
    np.testing.assert_allclose(metrics.center_errors(answers, truth), [0, 5, np.inf])


def test_normalised_error_is_in_units_of_the_true_box():
    truth = [(0, 0, 10, 40)] * 2
    answers = [(0, 0, 10, 40), (3, 16, 10, 40)]
    np.testing.assert_allclose(metrics.normalised_center_errors(answers, truth), [np.hypot(0.3, 0.4)])


@pytest.mark.parametrize(
    ("overlap", "auc"),
    [
        ([1.0], 20 / 21),  # above all thresholds but 1 itself
        ([0.0], 0.0),  # overlap > threshold, not >=
        ([0.5], 10 / 21),  # 0 to 0.45
        ([0.51], 11 / 21),
        ([1.0, 0.0], 10 / 21),
    ],
)
def test_success_auc_by_hand(overlap, auc):
    assert metrics.success_auc(overlap) == pytest.approx(auc)


def test_success_auc_against_the_definition_in_loops():
    overlap = np.random.default_rng(0).random(97)
    shares = [sum(o > k / 20 for o in overlap) / len(overlap) for k in range(21)]
    assert metrics.success_auc(overlap) == pytest.approx(sum(shares) / 21)


def test_precision_counts_20_px_as_hit():
    assert metrics.precision_20([0, 20, 20.01, np.inf]) == 0.5


@pytest.mark.parametrize(("error", "expected"), [(0.0, 1.0), (0.5, 1 / 51), (0.255, 25 / 51), (0.6, 0.0)])
def test_norm_precision_by_hand(error, expected):
    assert metrics.norm_precision([error]) == pytest.approx(expected)


def test_success_rate_is_strict():
    assert metrics.success_rate([0.5, 0.75, 0.76, 1], 0.5) == 0.75
    assert metrics.success_rate([0.5, 0.75, 0.76, 1], 0.75) == 0.5


def test_scores_of_a_sequence():
    truth = [(0, 0, 10, 10), (0, 0, 10, 10), (NAN,) * 4, (0, 0, 10, 10)]
    answers = [(0, 0, 10, 10), (0, 0, 10, 10), (50, 50, 1, 1), (60, 0, 10, 10)]
    assert metrics.sequence_scores(answers, truth) == pytest.approx(
        {"success_auc": 10 / 21, "precision_20": 0.5, "norm_precision": 0.5, "ao": 0.5, "sr50": 0.5, "sr75": 0.5}
    )


def test_nothing_to_score_is_an_error_not_a_zero():
    with pytest.raises(DataError, match="none of 2 frames"):
        metrics.overlaps([(0, 0, 1, 1)] * 2, [(0, 0, 1, 1), (NAN,) * 4])


def test_lengths_must_agree():
    with pytest.raises(DataError, match=r"\(2, 4\)"):
        metrics.overlaps([(0, 0, 1, 1)] * 2, [(0, 0, 1, 1)] * 3)
    with pytest.raises(DataError, match="2 scores for 1 groups"):
        metrics.paired_bootstrap([1, 2], [0, 0], ["a"])


def test_bootstrap_of_a_constant_difference_has_no_width():
    assert metrics.paired_bootstrap([0.5, 0.7], [0.25, 0.45], ["a", "b"], draws=50) == pytest.approx((0.25,) * 3)


def test_bootstrap_draws_whole_groups():
    """Two groups, differences 1 and 0: means of draws are 0, 1/2 or 1; singly drawn, 99 of one group would pin it."""
    interval = metrics.paired_bootstrap([1.0] * 99 + [0.0], [0.0] * 100, ["flight"] * 99 + ["other"])
    assert interval.mean == pytest.approx(0.99)
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_bootstrap_agrees_with_the_normal_interval_and_is_reproducible():
    differences = np.random.default_rng(1).normal(0.1, 0.2, 400)
    groups = list(range(400))
    first, second = (metrics.paired_bootstrap(differences, np.zeros(400), groups) for _ in range(2))
    half = 1.96 * differences.std() / 20
    assert first == second
    assert (first.low, first.high) == pytest.approx((first.mean - half, first.mean + half), abs=0.1 * half)


@pytest.mark.parametrize(
    ("overlap", "share"),
    [
        ([0.5] * 5 + [0.05] * 10 + [0.9] * 5, 5 / 20),
        ([0.5] * 5 + [0.05] * 9 + [0.1] + [0.05] * 9, 1.0),  # 9 in a row twice: 0.1 itself is not below 0.1
        ([0.0] * 10, 0.0),
        ([0.0] * 9, 1.0),
        ([0.5] * 10 + [0.0] * 15, 10 / 25),
    ],
)
def test_robustness_is_the_share_of_frames_before_the_first_ten_lost_in_a_row(overlap, share):
    assert metrics.robustness(overlap) == share
