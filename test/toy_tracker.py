"""The least that is a tracker, as ARCHITECTURE.md says: normalised cross-correlation with the first look, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stm_tracker_ros.core.compute import Compute
from stm_tracker_ros.core.config import setting
from stm_tracker_ros.core.matching import Candidates, Evidence, Floats, Look
from stm_tracker_ros.core.types import Box, Pixels, Target
from stm_tracker_ros.following.config import FollowingConfig, PresenceConfig
from stm_tracker_ros.following.follower import Follower


@dataclass(frozen=True, kw_only=True)
class ToyConfig(FollowingConfig):
    """The stage's settings, and one of its own."""

    store_score: float = setting(0.9, "looks with a lower score are not remembered", low=0.0, high=1.0, live=True)


DEFAULT = ToyConfig(presence=PresenceConfig(near_share=0.45))  # any grey looks a little like anything to it


class ToyMatcher:
    """See `core.protocol.Matcher`. Remembers how the target looked at first and last: pixels of one size."""

    crop_size, side = 64, 18

    def __init__(self, config: ToyConfig) -> None:
        self.config = config
        self.first = self.latest = np.zeros((self.side, self.side, 3), np.uint8)

    def start(self, look: Look, target: Target) -> Candidates:
        self.first = self.latest = self._pixels(look, look.expected)
        box = np.array([look.crop.to_crop(look.expected)])
        return Candidates(crop=look.crop, boxes=box, scores=np.ones(1), grid=(1, 1, 1))

    def match(self, looks: Sequence[Look]) -> list[Candidates]:
        return [
            self._candidates(look, np.maximum(_score(look, self.first), _score(look, self.latest))) for look in looks
        ]

    def settle(self, look: Look, candidates: Candidates, chosen: int | None, rank: float) -> None:
        pass

    def anchor_scores(self, look: Look, candidates: Candidates) -> Floats:
        return _score(look, self.first).ravel()

    def remember(self, look: Look, candidates: Candidates, chosen: int, box: Box, evidence: Evidence) -> None:
        if evidence.score >= self.config.store_score:
            self.latest = self._pixels(look, box)

    def reconfigure(self, config: ToyConfig) -> None:
        self.config = config

    def _pixels(self, look: Look, box: Box) -> Pixels:
        left, top = (round(middle - self.side / 2) for middle in look.crop.to_crop(box).center)
        left, top = (min(max(edge, 0), self.crop_size - self.side) for edge in (left, top))
        return look.patch[top : top + self.side, left : left + self.side]

    def _candidates(self, look: Look, scores: Floats) -> Candidates:
        """scores: rows x columns, of boxes about the middles of the places that the template was laid at."""
        rows, columns = np.mgrid[: scores.shape[0], : scores.shape[1]] + self.side / 2
        width, height = look.crop.to_crop(look.expected)[2:]
        boxes = np.stack([columns - width / 2, rows - height / 2, 0 * columns + width, 0 * rows + height], -1)
        return Candidates(crop=look.crop, boxes=boxes.reshape(-1, 4), scores=scores.ravel(), grid=(*scores.shape, 1))


def _score(look: Look, template: Pixels) -> Floats:
    found = cv2.matchTemplate(look.patch, template, cv2.TM_CCOEFF_NORMED)
    return np.clip(np.nan_to_num(found.astype(np.float64)), 0.0, 1.0)


def from_checkpoint(name: str, weights: Path, compute: Compute, config: ToyConfig) -> Follower:
    """It has nothing to load."""
    return Follower(ToyMatcher(config), config)
