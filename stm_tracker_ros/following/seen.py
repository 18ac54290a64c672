"""What a matcher has seen in one look, in pixels of the image and with what the following stage knows of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stm_tracker_ros.core.matching import Candidates, Evidence, Floats, Look
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.following.presence import Gate


class Seen(NamedTuple):
    """One frame as the matcher sees it: places, the candidates' boxes N x 4 in image pixels; scores N, as trusted."""

    look: Look
    candidates: Candidates
    places: Floats
    scores: Floats
    gate: Gate

    @property
    def something(self) -> bool:
        """Whether there is anything at all that may be the target: a mask may be empty."""
        segment = self.candidates.segment
        return segment is None or segment.rotated is not None


class Best(NamedTuple):
    """A candidate: its number, box in the image, score, penalty, and the score with penalty and window."""

    number: int
    box: Box
    score: float
    penalty: float
    rank: float


class Answered(NamedTuple):
    """What was seen in the last frame, the candidate that is the target, how good it is."""

    seen: Seen
    chosen: int
    evidence: Evidence


def in_image(candidates: Candidates) -> Floats:
    """The candidates' boxes, N x 4: x, y, width, height in image pixels."""
    crop, low = candidates.crop, candidates.boxes[:, :2]
    low, high = low * crop.scale, (low + candidates.boxes[:, 2:]) * crop.scale
    return np.concatenate([low + (crop.left, crop.top), high - low], 1)
