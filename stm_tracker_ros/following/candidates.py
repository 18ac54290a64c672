"""What else looks like the target: of many overlapping candidates one for each object."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.types import MOST_CANDIDATES, Box, Candidate

Floats = NDArray[np.float64]

BACKGROUND_SCORE = 0.1  # what scores less looks like the background
SAME_OBJECT = 0.3  # IoU of two boxes from which on they are of one object


def distinct(boxes: Floats, scores: Floats, followed: int | None = None) -> list[int]:
    """The best candidates that are apart from each other: their numbers, best first, at most MOST_CANDIDATES.

    boxes: N x 4, in pixels of the image; scores: N; followed: number of the one that is taken for the target: it
    stands for all that overlap with it, however low it scores.
    """
    ranks = scores if followed is None else scores.copy()
    if followed is not None:
        ranks[followed] = np.inf
    some = np.flatnonzero(ranks >= BACKGROUND_SCORE)
    if not some.size:
        return []
    kept = cv2.dnn.NMSBoxes(boxes[some].tolist(), ranks[some].tolist(), 0.0, SAME_OBJECT)
    chosen = some[np.asarray(kept, np.int64)[:MOST_CANDIDATES]]
    return [int(number) for number in chosen[np.argsort(-scores[chosen], kind="stable")]]


def published(boxes: Floats, scores: Floats, chosen: Sequence[int]) -> tuple[Candidate, ...]:
    """Those of these numbers, for a Result: scores cut to [0, 1]."""
    numbers = list(chosen)
    clipped = np.clip(scores[numbers], 0.0, 1.0).tolist()
    return tuple(Candidate(Box(*box), score) for box, score in zip(boxes[numbers].tolist(), clipped, strict=True))
