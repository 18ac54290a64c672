"""How a camera moved: where every frame of a stretch lies in every other one, by its surroundings, not its target."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.types import Pixels
from stm_tracker_ros.data.absences.camera import Values, grown
from stm_tracker_ros.data.absences.footage import Pictures

Matrix = NDArray[np.float64]
REDUCTION = 0.5
"""Steps from frame to frame are measured in smaller pictures; the last word is a whole one's (`refined`)."""
MARGIN_SIZES, MOST_FEATURES, LEAST_FEATURES, RANSAC_PX = 0.3, 150, 12, 1.0
LEAST_INLIERS = 0.5


class Registration:
    """The camera's motion over a stretch; measured from frame to frame where it is asked for, and kept."""

    def __init__(self, kept: Pictures, boxes: Values) -> None:
        """`boxes`: of the whole recording, by the index of the frame."""
        self._kept, self._boxes = kept, boxes
        self._steps: dict[int, Matrix | None] = {}

    def between(self, first: int, second: int) -> Matrix | None:
        """3 x 3: pixel centres of frame `first` to those of frame `second`; None where they cannot be related."""
        low, high = min(first, second), max(first, second)
        whole = np.eye(3)
        for index in range(low, high):
            if index not in self._steps:
                self._steps[index] = self._step(index)
            step = self._steps[index]
            if step is None:
                return None
            whole = step @ whole
        return whole if first <= second else np.asarray(np.linalg.inv(whole))

    def _step(self, index: int) -> Matrix | None:
        first, second = (_small(self._kept[one]) for one in (index, index + 1))
        mask = np.full(first.shape, 255, np.uint8)
        left, top, width, height = np.rint(grown(self._boxes[index][None], MARGIN_SIZES)[0] * REDUCTION).astype(int)
        mask[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = 0
        found = _moved(first, second, mask)
        if found is None:
            return None
        matrix, inliers = cv2.findHomography(*found, cv2.RANSAC, RANSAC_PX)
        if matrix is None or float(inliers.mean()) < LEAST_INLIERS:
            return None
        scale = np.diag([REDUCTION, REDUCTION, 1.0])
        return np.asarray(np.linalg.inv(scale) @ matrix @ scale)


def refined(matrix: Matrix, grey: Pixels, other_grey: Pixels, mask: Pixels) -> Matrix | None:
    """`matrix`, corrected until the surroundings (`mask`) of both pictures lie upon each other; None if they do not."""
    size = (grey.shape[1], grey.shape[0])
    seen = cv2.warpPerspective(other_grey, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    found = _moved(grey, np.asarray(seen, np.uint8), mask)
    if found is None:
        return None
    rest, inliers = cv2.estimateAffinePartial2D(*found, ransacReprojThreshold=RANSAC_PX)
    if rest is None or float(inliers.mean()) < LEAST_INLIERS:
        return None
    return np.asarray(matrix @ np.concatenate([rest, [[0.0, 0.0, 1.0]]]))


def _moved(first: Pixels, second: Pixels, mask: Pixels) -> tuple[Values, Values] | None:
    """Points of the first picture within the mask, and where they are in the second."""
    points = cv2.goodFeaturesToTrack(first, MOST_FEATURES, 0.01, 5, mask=mask)
    if points is None or len(points) < LEAST_FEATURES:
        return None
    moved, status, _ = cv2.calcOpticalFlowPyrLK(first, second, points, None, winSize=(21, 21), maxLevel=3)
    ok = status.ravel() == 1
    return (points[ok], moved[ok]) if int(ok.sum()) >= LEAST_FEATURES else None


def _small(picture: Pixels) -> Pixels:
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, None, fx=REDUCTION, fy=REDUCTION, interpolation=cv2.INTER_AREA), np.uint8)
