"""Scores of a mask against the true one: region similarity J and contour accuracy F; pure functions.

Source: Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016,
section 4 (DAVIS): J is the Jaccard index; F is the harmonic mean of precision and recall of the contours' pixels,
matched within 0.008 of the image's diagonal. The benchmark matches them by dilating the contours with a disk, and so
do we. Masks are height x width arrays of any type, non-zero = target.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.errors import DataError

TOLERANCE_OF_DIAGONAL = 0.008

Mask = NDArray[Any]
Flags = NDArray[np.bool_]


def jaccard(answer: Mask, truth: Mask) -> float:
    """J: intersection over union; 1 where both masks are empty. Raises DataError if the sizes differ."""
    found, true = _compared(answer, truth)
    union = np.count_nonzero(found | true)
    return np.count_nonzero(found & true) / union if union else 1.0


def boundary_f(answer: Mask, truth: Mask) -> float:
    """F: how well the contours agree; 1 where both masks have none. Raises DataError if the sizes differ."""
    found, true = (contour(mask) for mask in _compared(answer, truth))
    if not found.any() or not true.any():
        # One of the two has no contour: nothing of the other is matched.
        return float(found.any() == true.any())
    radius = int(np.ceil(TOLERANCE_OF_DIAGONAL * np.hypot(*found.shape)))
    found, true = _cut_to_both(found, true)
    precision = np.count_nonzero(found & dilated(true, radius)) / np.count_nonzero(found)
    recall = np.count_nonzero(true & dilated(found, radius)) / np.count_nonzero(true)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def mask_scores(pairs: Iterable[tuple[Mask, Mask]]) -> dict[str, float]:
    """J and F by their names in `summary.json`: means over (answer, true mask) of the frames that count.

    Leave the first frame out, where the target was given. Raises DataError if there is no frame.
    """
    scores = np.array([(jaccard(answer, truth), boundary_f(answer, truth)) for answer, truth in pairs])
    if not len(scores):
        raise DataError("no frame with a true mask can be scored; needed is one after the first")
    j_mean, f_mean = scores.mean(0).tolist()
    return {"j_mean": j_mean, "f_mean": f_mean}


def contour(mask: Flags) -> Flags:
    """Pixels that differ from their right, lower or lower right neighbour; beyond the image all is as at its edge."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    right, lower, both = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    return np.asarray((mask != right) | (mask != lower) | (mask != both))


def dilated(flags: Flags, radius: int) -> Flags:
    """Pixels at most `radius` (Euclidean, between centres) from one that is set."""
    height, width = flags.shape
    padded = np.pad(flags, ((radius, radius), (radius + 1, radius)))
    counts = np.cumsum(padded, axis=1, dtype=np.int32)
    result = np.zeros(flags.shape, bool)
    for down in range(-radius, radius + 1):
        # A disk is a stack of rows: whether any pixel of such a row is set is a difference of running counts.
        half = int(np.sqrt(radius**2 - down**2))
        row, left = radius + down, radius - half
        strip = counts[row : row + height]
        result |= strip[:, left + 2 * half + 1 : left + 2 * half + 1 + width] > strip[:, left : left + width]
    return result


def _cut_to_both(first: Flags, second: Flags) -> tuple[Flags, Flags]:
    """The part of the image that holds all that is set in either: matches are looked for nowhere else."""
    rows, columns = (np.flatnonzero((first | second).any(axis)) for axis in (1, 0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return first[part], second[part]


def _compared(answer: Mask, truth: Mask) -> tuple[Flags, Flags]:
    if answer.shape != truth.shape or truth.ndim != 2:
        raise DataError(f"mask of shape {answer.shape} for a true one of {truth.shape}; allowed is one height x width")
    return np.asarray(answer != 0), np.asarray(truth != 0)
