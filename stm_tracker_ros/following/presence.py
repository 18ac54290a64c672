"""Is one of a frame's candidates the target, or is it hidden? What it usually scores and where it must be by now.

A candidate is followed if its score is a large enough share of what the target usually has: a small one where the
target is expected, a larger one elsewhere, nearly all of it on a known distractor. Without one the box goes on as the
target last moved, for a while, then waits; the longer it is not seen, the less is asked of a place far off. After a
jump the answer is trusted less at first: another object that looks the same is found like this as well.

All this rests on knowing where the target must be (`motion.py`). Where each frame is a surprise nothing is asked, and
the best candidate is followed as in the papers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core import boxes as arithmetic
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.following.config import PresenceConfig
from stm_tracker_ros.following.distractors import Distractors
from stm_tracker_ros.following.motion import Motion

Floats = NDArray[np.float64]

FIRST_GUESS, USUAL_RATE = 0.6, 0.05  # of the usual score; share of a new score in it
ORDINARY, SURE = 0.6, 0.7  # shares of the usual score: counts for it, counts for the speed
NEAR_OVERLAP = 0.25  # with the expected box: what is seen at its place
FULL_OVERLAP = 0.7  # with the expected box: no jump at all
STEADY, ERRATIC = 0.1, 0.2  # usual error of the expected place, over the target's size: all is asked, nothing is asked
LOSS_FRAMES = 3  # after the loss: what is seen elsewhere then has not come from the target's place
APART, NONE = 0.1, -1.0  # overlap with the target of a new distractor at most: while it is hidden, if there is none


class Gate(NamedTuple):
    """Of one frame's candidates: overlap of each with where the target is expected (N), who may be it (N)."""

    overlap: Floats
    allowed: NDArray[np.bool_]


class Presence:
    """What is known of one target: its usual score, its motion, for how long it has not been seen, and its distractors.

    `expect`, then `gate`, then `followed` or `missed` in each frame. `config` may be replaced at any time.
    """

    def __init__(self, config: PresenceConfig, place: Box, number: int) -> None:
        """A target just named, in the frame of that number; frames are numbered by time."""
        self.config, self.place, self.number = config, place, number
        self.usual, self.trust, self.unseen = FIRST_GUESS, 1.0, 0
        self.motion = Motion(ERRATIC)
        self.distractors = Distractors()
        self._last = place
        self.step = 1
        """Nominal frames from the frame before to this one."""

    def expect(self, number: int, camera: tuple[float, float]) -> Box:
        """Where the target must be in this frame, in the image or outside: `place` until it is found.

        camera: how far its motion has moved the image since the frame before, pixels.
        """
        self.step, self.number = max(number - self.number, 1), number
        self._last = self.place
        self.distractors.carry(camera)
        ahead = self.motion.ahead(camera, self.unseen, max(min(self.step, self.config.coast_frames - self.unseen), 0))
        self.place = self.place._replace(x=self.place.x + float(ahead[0]), y=self.place.y + float(ahead[1]))
        return self.place

    def gate(self, boxes: Floats, scores: Floats) -> Gate:
        """Candidates N x 4 in image pixels and their scores N."""
        overlap = arithmetic.iou(tuple(self.place), boxes)
        near, far = self._needed(alone=bool(overlap[scores.argmax()] >= NEAR_OVERLAP))
        needed = far + (near - far) * np.clip(overlap / FULL_OVERLAP, 0.0, 1.0)
        if self.config.distractor_share:
            claimed = self.distractors.claims(boxes, overlap, self.number)
            needed = np.where(claimed, np.maximum(needed, self.config.distractor_share), needed)
        usual = needed * self.steadiness * self.usual
        return Gate(overlap, (scores >= usual) & (scores >= self.config.least_score))

    @property
    def steadiness(self) -> float:
        """How far the expected place can be relied on, from 0 to 1."""
        return float(np.clip((ERRATIC - self.motion.error) / (ERRATIC - STEADY), 0.0, 1.0))

    def followed(self, boxes: Floats, scores: Floats, gate: Gate, cell: int, box: Box) -> float:
        """The candidate `cell` is the target, now at `box`. Returns its score as it is trusted."""
        config, score = self.config, float(scores[cell])
        seen_well = score >= SURE * self.usual
        doubt = self.steadiness * (1 - min(float(gate.overlap[cell]) / FULL_OVERLAP, 1.0))
        self.trust = min(1.0, self.trust + (1 - config.least_trust) * self.step / config.trust_frames)
        if self.unseen or not seen_well:
            self.trust = min(self.trust, 1 - (1 - config.least_trust) * doubt)
        else:
            size = float(np.sqrt(self._last.width * self._last.height))
            self.motion.learn(np.subtract(box.center, self._last.center), self.step, size)
        apart = 1.0 if self._ordinary(score) else NONE
        self._learn_distractors(boxes, scores, np.array([box, boxes[cell]]), apart, score)
        self.place, self.unseen = box, 0
        if self._ordinary(score):
            self.usual += USUAL_RATE * (score - self.usual)
        return score * self.trust

    def missed(self, boxes: Floats, scores: Floats, gate: Gate) -> float:
        """No candidate is the target. Returns the score at the expected place, below what would have been enough."""
        self.unseen += self.step
        self._learn_distractors(boxes, scores, np.array([self.place]), APART if self.unseen <= LOSS_FRAMES else NONE)
        near = scores if len(scores) == 1 else scores[gate.overlap >= NEAR_OVERLAP]
        enough = max(self.config.near_share * self.usual, self.config.least_score)
        return min(float(near.max(initial=0.0)), enough)

    def wait_at(self, place: Box) -> None:
        """It is expected there from now on, whatever its motion was."""
        self.place = place

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

    def _learn_distractors(
        self, boxes: Floats, scores: Floats, target: Floats, apart: float, below: float = np.inf
    ) -> None:
        if self.config.distractor_share:
            self.distractors.learn(boxes, scores, target, self.number, apart, below)
