"""What else looks like the target: of many overlapping candidates one for each object."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.types import MOST_CANDIDATES, Box, Candidate

Floats = NDArray[np.float64]

LEAST_SCORE = 0.1  # what scores less looks like the background
MOST_OVERLAP = 0.3  # IoU of two that are apart
FIRST = 2.0  # more than any score


def distinct(boxes: Floats, scores: Floats, followed: int | None = None) -> tuple[Candidate, ...]:
    """The best candidates that are apart from each other, best first, at most MOST_CANDIDATES.

    boxes: N x 4, in pixels of the image; scores: N, cut to [0, 1] in the answer; followed: number of the one that is
    taken for the target: it stands for all that overlap with it, however low it scores.
    """
    ranks = scores if followed is None else scores.copy()
    if followed is not None:
        ranks[followed] = FIRST
    some = np.flatnonzero(ranks >= LEAST_SCORE)
    if not some.size:
        return ()
    kept = cv2.dnn.NMSBoxes(boxes[some].tolist(), ranks[some].tolist(), 0.0, MOST_OVERLAP)
    chosen = some[np.asarray(kept, np.int64)[:MOST_CANDIDATES]]
    best_first = chosen[np.argsort(-scores[chosen], kind="stable")]
    clipped = np.clip(scores[best_first], 0.0, 1.0).tolist()
    return tuple(Candidate(Box(*box), score) for box, score in zip(boxes[best_first].tolist(), clipped, strict=True))
