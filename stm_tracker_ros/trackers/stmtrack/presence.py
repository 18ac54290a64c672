"""Is one of a frame's candidates the target, or is it hidden? What it usually scores and where it must be by now.

A candidate is followed if its score is a large enough share of what the target usually has: a small one where the
target is expected, a larger one elsewhere, nearly all of it on a known rival. Without one the box goes on as the target
last moved, for a while, then waits; the longer it is not seen, the less is asked of a place far off. After a jump the
answer is trusted less at first: another object that looks the same is found like this as well.

All this rests on knowing where the target must be (`motion.py`). Where each frame is a surprise nothing is asked, and
the best candidate is followed as in the papers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core import boxes as arithmetic
from stm_tracker_ros.core.config import judge, setting
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.trackers.stmtrack.motion import Motion
from stm_tracker_ros.trackers.stmtrack.rivals import Rivals

Floats = NDArray[np.float64]

FIRST_GUESS, USUAL_RATE = 0.6, 0.05  # of the usual score; share of a new score in it
ORDINARY, SURE = 0.6, 0.7  # shares of the usual score: counts for it, counts for the speed
NEAR_OVERLAP = 0.25  # with the expected box: what is seen at its place
FULL_OVERLAP = 0.7  # with the expected box: no jump at all
STEADY, ERRATIC = 0.1, 0.2  # usual error of the expected place, over the target's size: all is asked, nothing is asked
LOSS_FRAMES = 3  # after the loss: what is seen elsewhere then has not come from the target's place
APART, NONE = 0.1, -1.0  # overlap with the target of a new rival at most: while it is hidden, if there is none


@dataclass(frozen=True, kw_only=True)
class PresenceConfig:
    """Shares are of the target's usual score; frames are nominal ones, 30 a second."""

    near_share: float = setting(0.45, "needed at the expected place", low=0.0, high=2.0, live=True)
    alone_share: float = setting(
        0.2, "needed there where nothing else in the picture scores more", low=0.0, high=2.0, live=True
    )
    jump_share: float = setting(0.6, "needed elsewhere", low=0.0, high=2.0, live=True)
    far_share: float = setting(
        0.9, "needed elsewhere after a frame without the target; less later", low=0.0, high=2.0, live=True
    )
    far_frames: float = setting(60.0, "frames without the target in which that falls to nothing", low=1.0, live=True)
    least_share: float = setting(0.25, "never less than this is needed then", low=0.0, high=2.0, live=True)
    rival_share: float = setting(0.95, "needed on a known rival; 0 = none are known", low=0.0, high=2.0, live=True)
    coast_frames: int = setting(
        10, "frames that the target is expected to move on for; 0 = it is expected where it was", low=0, live=True
    )
    search_growth: float = setting(
        2.0, "side of the search region over the usual one when that has come to nothing", low=1.0, high=4.0, live=True
    )
    least_trust: float = setting(0.5, "factor of the score after a jump; 1 = none", low=0.0, high=1.0, live=True)
    trust_frames: float = setting(45.0, "frames from no trust to all of it", low=1.0, live=True)

    def __post_init__(self) -> None:
        judge(self)


CREDULOUS = PresenceConfig(
    near_share=0.0,
    alone_share=0.0,
    jump_share=0.0,
    far_share=0.0,
    least_share=0.0,
    rival_share=0.0,
    coast_frames=0,
    search_growth=1.0,
    least_trust=1.0,
)
"""The best candidate is the target, always: as trackers are published."""


class Judgement(NamedTuple):
    """Of one frame's candidates: overlap of each with where the target is expected (N), who may be it (N)."""

    overlap: Floats
    allowed: NDArray[np.bool_]


class Presence:
    """What is known of one target: its usual score, its motion, for how long it has not been seen, and its rivals.

    `expect`, then `judge`, then `followed` or `missed` in each frame. `config` may be replaced at any time.
    """

    def __init__(self, config: PresenceConfig, place: Box, number: int) -> None:
        """A target just named, in the frame of that number; frames are numbered by time."""
        self.config, self.place, self.number = config, place, number
        self.usual, self.trust, self.unseen = FIRST_GUESS, 1.0, 0
        self.motion = Motion(ERRATIC)
        self.rivals = Rivals()
        self._last = place
        self._step = 1  # nominal frames from the frame before to this one

    def expect(self, number: int, camera: tuple[float, float]) -> Box:
        """Where the target must be in this frame, in the image or outside: `place` until it is found.

        camera: how far its motion has moved the image since the frame before, pixels.
        """
        self._step, self.number = max(number - self.number, 1), number
        self._last = self.place
        self.rivals.carry(camera)
        ahead = self.motion.ahead(camera, self.unseen, max(min(self._step, self.config.coast_frames - self.unseen), 0))
        self.place = self.place._replace(x=self.place.x + float(ahead[0]), y=self.place.y + float(ahead[1]))
        return self.place

    def judge(self, boxes: Floats, scores: Floats) -> Judgement:
        """Candidates N x 4 in image pixels and their scores N."""
        overlap = arithmetic.iou(tuple(self.place), boxes)
        near, far = self._needed(alone=bool(overlap[scores.argmax()] >= NEAR_OVERLAP))
        needed = far + (near - far) * np.clip(overlap / FULL_OVERLAP, 0.0, 1.0)
        if self.config.rival_share:
            claimed = self.rivals.claims(boxes, overlap, self.number)
            needed = np.where(claimed, np.maximum(needed, self.config.rival_share), needed)
        return Judgement(overlap, scores >= needed * self.steadiness * self.usual)

    @property
    def steadiness(self) -> float:
        """How far the expected place can be relied on, from 0 to 1."""
        return float(np.clip((ERRATIC - self.motion.error) / (ERRATIC - STEADY), 0.0, 1.0))

    @property
    def search_factor(self) -> float:
        """Side of the region to search over the usual one: from the end of coasting on it grows."""
        config = self.config
        waited = (self.unseen - config.coast_frames) / max(config.far_frames - config.coast_frames, 1.0)
        return 1 + (config.search_growth - 1) * float(np.clip(waited, 0.0, 1.0))

    def followed(self, boxes: Floats, scores: Floats, judgement: Judgement, cell: int, box: Box) -> float:
        """The candidate `cell` is the target, now at `box`. Returns its score as it is trusted."""
        config, score = self.config, float(scores[cell])
        seen_well = score >= SURE * self.usual
        doubt = self.steadiness * (1 - min(float(judgement.overlap[cell]) / FULL_OVERLAP, 1.0))
        self.trust = min(1.0, self.trust + (1 - config.least_trust) * self._step / config.trust_frames)
        if self.unseen or not seen_well:
            self.trust = min(self.trust, 1 - (1 - config.least_trust) * doubt)
        else:
            size = float(np.sqrt(self._last.width * self._last.height))
            self.motion.learn(np.subtract(box.center, self._last.center), self._step, size)
        self._learn_rivals(boxes, scores, np.array([box, boxes[cell]]), 1.0 if self._ordinary(score) else NONE, score)
        self.place, self.unseen = box, 0
        if self._ordinary(score):
            self.usual += USUAL_RATE * (score - self.usual)
        return score * self.trust

    def missed(self, boxes: Floats, scores: Floats, judgement: Judgement) -> float:
        """No candidate is the target. Returns the score at the expected place."""
        self.unseen += self._step
        self._learn_rivals(boxes, scores, np.array([self.place]), APART if self.unseen <= LOSS_FRAMES else NONE)
        near = scores[judgement.overlap >= NEAR_OVERLAP]
        return min(float(near.max(initial=0.0)), self.config.near_share * self.usual)

    def _ordinary(self, score: float) -> bool:
        return score >= ORDINARY * self.usual

    def _needed(self, alone: bool) -> tuple[float, float]:
        """Shares of the usual score at the expected place and elsewhere; alone: nothing elsewhere scores more."""
        config = self.config
        near = min(config.near_share, config.alone_share) if alone else config.near_share
        if not self.unseen:
            return near, config.jump_share
        far = max(config.least_share, config.far_share * (1 - self.unseen / config.far_frames))
        return min(near, far), far

    def _learn_rivals(self, boxes: Floats, scores: Floats, target: Floats, apart: float, below: float = np.inf) -> None:
        if self.config.rival_share:
            self.rivals.learn(boxes, scores, target, self.number, apart, below)
