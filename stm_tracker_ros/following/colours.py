"""The colours that the target was seen in: a witness of its own to what may be the target that is away.

A network that finds whatever it is shown tells kinds of things better than two of a kind: to it one person that walks
past is much like another. Colours know nothing of kinds and tell two of a kind apart as often as not; where all is grey
they agree. `docs/RESULTS.md` has what they are worth.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core.matching import Look
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.following.presence import USUAL_RATE

Floats = NDArray[np.float32]

BINS = 16  # of lightness, and of each of the two axes of colour


class Colours:
    """Of one target: as it was first, at `box` of `look`; on the average of the frames that showed it well; lately."""

    def __init__(self, look: Look, box: Box) -> None:
        self._first = self._mean = self._lately = _histogram(look, box)
        self._count = 1

    def learn(self, look: Look, box: Box, step: float = 1.0) -> None:
        """The target is well seen there, so many nominal frames after the frame before."""
        there = _histogram(look, box)
        self._count += 1
        self._mean = self._mean + (there - self._mean) / np.float32(self._count)
        self._lately = self._lately + np.float32(USUAL_RATE * min(step, 1.0)) * (there - self._lately)

    def likeness(self, look: Look, box: Box) -> float:
        """How like the target's are the colours that are there: Bhattacharyya's coefficient, from 0 to 1."""
        there = _histogram(look, box)
        known = np.stack([self._first, self._mean, self._lately])
        return float(np.sqrt(there * known).sum(1).max())


def _histogram(look: Look, box: Box) -> Floats:
    """Shares of the colours (CIE L*a*b*) in the ellipse inside the box, which is in image pixels; 0 beside the look."""
    left, top, width, height = look.crop.to_crop(box)
    last = look.patch.shape[0] - 1
    x, y, right, bottom = (int(min(max(edge, 0), last)) for edge in (left, top, left + width, top + height))
    patch = look.patch[y : bottom + 1, x : right + 1]
    inside = np.zeros(patch.shape[:2], np.uint8)
    middle = left - x + width / 2, top - y + height / 2
    cv2.ellipse(inside, (middle, (max(width, 1.0), max(height, 1.0)), 0.0), 1, cv2.FILLED)
    levels = np.iinfo(np.uint8).max + 1
    lab, bins, ranges = cv2.cvtColor(patch, cv2.COLOR_BGR2LAB), [BINS, BINS, BINS], [0, levels, 0, levels, 0, levels]
    counts = cv2.calcHist([lab], [0, 1, 2], inside, bins, ranges).ravel()
    return np.asarray(counts / max(counts.sum(), 1), np.float32)
