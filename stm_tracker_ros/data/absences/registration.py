"""How a camera moved: where every frame of a stretch lies in every other one, by its surroundings, not its target."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.types import Pixels
from stm_tracker_ros.data.absences.camera import Values, grown
from stm_tracker_ros.data.absences.footage import Pictures

Matrix = NDArray[np.float64]
REDUCTION = 0.5
"""Steps from frame to frame are measured in smaller pictures; the last word is a whole one's (`refined`)."""
MARGIN_SIZES, MOST_FEATURES, LEAST_FEATURES, RANSAC_PX = 0.3, 150, 12, 1.5
LEAST_INLIERS = 0.4


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
        points = points_in(first, mask)
        found = None if points is None else _followed(first, second, points)
        if found is None:
            return None
        matrix, inliers = cv2.findHomography(*found, cv2.RANSAC, RANSAC_PX)
        if matrix is None or float(inliers.mean()) < LEAST_INLIERS:
            return None
        scale = np.diag([REDUCTION, REDUCTION, 1.0])
        return np.asarray(np.linalg.inv(scale) @ matrix @ scale)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """A part of a picture: left and top of it, its grey values, and points in it that are not the target's."""

    origin: tuple[int, int]
    grey: Pixels
    points: NDArray[np.float32]

    def seen_by(self, other: Pixels, matrix: Matrix) -> Pixels:
        """Another picture, grey or BGR, as it lies in this part; matrix: pixel centres here to those there."""
        shift = np.array([[1.0, 0.0, self.origin[0]], [0.0, 1.0, self.origin[1]], [0.0, 0.0, 1.0]])
        size, flags = (self.grey.shape[1], self.grey.shape[0]), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = cv2.warpPerspective(other, matrix @ shift, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(seen, np.uint8)

    def refined(self, matrix: Matrix, other_grey: Pixels) -> Matrix | None:
        """`matrix`, corrected until this part lies upon the other picture; None if it does not."""
        found = _followed(self.grey, self.seen_by(other_grey, matrix), self.points)
        if found is None:
            return None
        rest, inliers = cv2.estimateAffinePartial2D(*found, ransacReprojThreshold=RANSAC_PX)
        if rest is None or float(inliers.mean()) < LEAST_INLIERS:
            return None
        whole = np.concatenate([rest, [[0.0, 0.0, 1.0]]])
        shift = np.array([[1.0, 0.0, self.origin[0]], [0.0, 1.0, self.origin[1]], [0.0, 0.0, 1.0]])
        return np.asarray(matrix @ shift @ whole @ np.linalg.inv(shift))


def points_in(grey: Pixels, mask: Pixels) -> NDArray[np.float32] | None:
    """Points (N x 1 x 2) that can be followed, where the mask is not 0; None where there are too few."""
    points = cv2.goodFeaturesToTrack(grey, MOST_FEATURES, 0.01, 5, mask=mask)
    return None if points is None or len(points) < LEAST_FEATURES else np.asarray(points, np.float32)


def _followed(first: Pixels, second: Pixels, points: NDArray[np.float32]) -> tuple[Values, Values] | None:
    """Points of the first picture, and where they are in the second."""
    start = np.zeros_like(points)
    moved, status, _ = cv2.calcOpticalFlowPyrLK(first, second, points, start, winSize=(21, 21), maxLevel=3)
    ok = np.asarray(status).ravel() == 1
    return (points[ok], np.asarray(moved)[ok]) if int(ok.sum()) >= LEAST_FEATURES else None


def _small(picture: Pixels) -> Pixels:
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, None, fx=REDUCTION, fy=REDUCTION, interpolation=cv2.INTER_AREA), np.uint8)
