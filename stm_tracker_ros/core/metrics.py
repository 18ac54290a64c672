"""Scores of a trajectory against true boxes, and the comparison of two trackers; pure functions.

A frame counts if the target is in it and it is not the first, where the box was given. A missing or non-finite answer
counts as no overlap and an infinite error.
Sources: OTB (Wu et al., PAMI 2015) success and precision; TrackingNet (Mueller et al., ECCV 2018, section 5)
normalised precision; GOT-10k (Huang et al., PAMI 2021, section 4) AO and SR.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_tracker_ros.core.boxes import Boxes, centers, iou
from stm_tracker_ros.core.errors import DataError

SUCCESS_THRESHOLDS = np.linspace(0, 1, 21)
NORMALISED_THRESHOLDS = np.linspace(0, 0.5, 51)
PRECISION_PX = 20
LOST_OVERLAP, LOST_FRAMES = 0.1, 10

Values = NDArray[np.float64]


class Interval(NamedTuple):
    """A mean with the interval that holds it with 95 % confidence."""

    mean: float
    low: float
    high: float


def scored_frames(truth: ArrayLike) -> NDArray[np.bool_]:
    """Which of the (N, 4) true boxes count: finite, with an area, not the first."""
    boxes = np.asarray(truth, np.float64)
    return np.isfinite(boxes).all(1) & (boxes[:, 2:] > 0).all(1) & (np.arange(len(boxes)) > 0)


def overlaps(answers: ArrayLike, truth: ArrayLike) -> Values:
    """IoU of the (N, 4) answers with the true boxes on the frames that count. Raises DataError if none does."""
    answered, true = _scored(answers, truth)
    return np.nan_to_num(iou(answered, true))


def center_errors(answers: ArrayLike, truth: ArrayLike) -> Values:
    """Distances of the centres in pixels on the frames that count. Raises DataError if none does."""
    answered, true = _scored(answers, truth)
    return _lengths(centers(answered) - centers(true))


def normalised_center_errors(answers: ArrayLike, truth: ArrayLike) -> Values:
    """As `center_errors`, x and y in units of the true box's width and height (TrackingNet, equation 2)."""
    answered, true = _scored(answers, truth)
    return _lengths((centers(answered) - centers(true)) / true[:, 2:])


def success_auc(overlap: ArrayLike) -> float:
    """Share of frames with overlap > threshold, mean over the thresholds 0, 0.05 ... 1 (OTB)."""
    return float((np.asarray(overlap)[:, None] > SUCCESS_THRESHOLDS).mean())


def precision_20(errors_px: ArrayLike) -> float:
    """Share of frames whose centre is at most 20 px off (OTB)."""
    return float((np.asarray(errors_px) <= PRECISION_PX).mean())


def norm_precision(normalised_errors: ArrayLike) -> float:
    """Share of frames with error <= threshold, mean over the thresholds 0, 0.01 ... 0.5 (TrackingNet)."""
    return float((np.asarray(normalised_errors)[:, None] <= NORMALISED_THRESHOLDS).mean())


def ao(overlap: ArrayLike) -> float:
    """Mean overlap (GOT-10k)."""
    return float(np.mean(np.asarray(overlap)))


def success_rate(overlap: ArrayLike, threshold: float) -> float:
    """Share of frames with overlap > threshold (GOT-10k)."""
    return float((np.asarray(overlap) > threshold).mean())


def robustness(overlap: ArrayLike) -> float:
    """Share of frames before the target is lost: before the first of 10 in a row with overlap < 0.1; 1 if never.

    Source: VOT2020 (Kristan et al., The Eighth Visual Object Tracking VOT2020 Challenge Results, ECCV Workshops 2020).
    """
    lost = np.asarray(overlap) < LOST_OVERLAP
    if len(lost) < LOST_FRAMES:
        return 1.0
    begins = np.flatnonzero(np.lib.stride_tricks.sliding_window_view(lost, LOST_FRAMES).all(1))
    return float(begins[0] / len(lost)) if begins.size else 1.0


def sequence_scores(answers: ArrayLike, truth: ArrayLike) -> dict[str, float]:
    """All scores of one sequence by their names in `summary.json`. Raises DataError if no frame counts."""
    overlap = overlaps(answers, truth)
    return {
        "success_auc": success_auc(overlap),
        "precision_20": precision_20(center_errors(answers, truth)),
        "norm_precision": norm_precision(normalised_center_errors(answers, truth)),
        "ao": ao(overlap),
        "sr50": success_rate(overlap, 0.5),
        "sr75": success_rate(overlap, 0.75),
    }


def paired_bootstrap(
    ours: ArrayLike, theirs: ArrayLike, groups: Sequence[Hashable], *, draws: int = 10_000, seed: int = 0
) -> Interval:
    """Mean of ours - theirs over sequences, and its 95 % interval.

    Whole groups are drawn with replacement, for sequences cut from one video are not independent (percentile bootstrap
    of clusters: Efron and Tibshirani 1993, sections 8 and 13). Raises DataError if the lengths differ or are 0.
    """
    differences = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    if len(differences) != len(groups) or not len(groups):
        raise DataError(f"{len(differences)} scores for {len(groups)} groups; allowed is one group a score, at least 1")
    labels = sorted(set(groups), key=str)
    member = np.array([labels.index(group) for group in groups])
    sums, sizes = np.bincount(member, differences), np.bincount(member)
    drawn = np.random.default_rng(seed).integers(len(labels), size=(draws, len(labels)))
    means = sums[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return Interval(float(differences.mean()), float(low), float(high))


def _scored(answers: ArrayLike, truth: ArrayLike) -> tuple[Boxes, Boxes]:
    answered, true = np.asarray(answers, np.float64), np.asarray(truth, np.float64)
    if answered.shape != true.shape or true.ndim != 2 or true.shape[1] != 4:
        raise DataError(f"answers of shape {answered.shape} for true boxes of shape {true.shape}; allowed is (N, 4)")
    scored = scored_frames(true)
    if not scored.any():
        raise DataError(f"none of {len(true)} frames can be scored; needed is one after the first with the target")
    return answered[scored], true[scored]


def _lengths(offsets: Boxes) -> Values:
    return np.nan_to_num(np.hypot(offsets[:, 0], offsets[:, 1]), nan=np.inf)
