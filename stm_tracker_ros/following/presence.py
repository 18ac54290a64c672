"""Is one of a frame's candidates the target, or is it hidden? What it usually scores and where it must be by now.

A candidate is followed if its score is a large enough share of what the target usually has: a small one where the
target is expected, a larger one elsewhere, nearly all of it on a known distractor. Without one the box goes on as the
target last moved, for a while, then waits; more is asked then where it waits, and what is elsewhere must be found again
(`search.py`). After a jump the answer is trusted less at first: another object that looks the same is found like this
as well.

All this rests on knowing where the target must be (`motion.py`). Where each frame is a surprise nothing is asked, and
the best candidate is followed as in the papers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stm_tracker_ros.core import boxes as arithmetic
from stm_tracker_ros.core.types import Box
from stm_tracker_ros.following.candidates import SAME_OBJECT
from stm_tracker_ros.following.config import PresenceConfig
from stm_tracker_ros.following.distractors import Distractors
from stm_tracker_ros.following.motion import Motion

Floats = NDArray[np.float64]

FIRST_GUESS, USUAL_RATE = 0.6, 0.05  # of the usual score; share of a new score in it
# Share of the usual score from which on a look counts for that score and for the motion, and may be a jump in sight.
ORDINARY = 0.7
AT_PLACE = 0.7  # overlap with the expected box of what is there
STEADY = 0.1  # usual error of the expected place, over the target's size: all is asked; from twice that, nothing
PATIENCE_FRAMES = 60  # until a jump, or another that looks alike, is forgotten


class Gate(NamedTuple):
    """Of one frame's candidates: overlap of each with where the target is expected (N), who may be it (N).

    known: whether that place is one.
    """

    overlap: Floats
    allowed: NDArray[np.bool_]
    known: bool


class Presence:
    """What is known of one target: its usual score, its motion, for how long it has not been seen, and its distractors.

    `expect`, then `gate`, then `followed` or `missed` in each frame. `config` may be replaced at any time.
    """

    def __init__(self, config: PresenceConfig, place: Box, number: float) -> None:
        """A target just named, in the frame of that number; frames are numbered by time."""
        self.config, self.place, self.number = config, place, number
        self.usual, self.doubt, self.unseen = FIRST_GUESS, 0.0, 0.0
        self.motion = Motion(2 * STEADY)
        self.distractors = Distractors()
        self.poor = 0.0  # frames since it was last seen well
        self.is_supposed = False  # the place is a guess
        self.rival = 0.0  # score of what looked most like it beside it, less the longer ago that was
        self.is_apart = False  # it was found where it was not expected, in this frame
        self._cut = -np.inf  # number of the last frame whose place was unknown
        self._last = place
        self.step = 1.0
        """Nominal frames from the frame before to this one."""

    def expect(self, number: float, camera: tuple[float, float]) -> Box:
        """Where the target must be in this frame, in the image or outside: `place` until it is found.

        camera: how far its motion has moved the image since the frame before, pixels.
        """
        self.step, self.number = number - self.number, number
        self._last = self.place
        self.distractors.carry(camera)
        ahead = self.motion.ahead(camera, self.unseen, max(min(self.step, self.config.coast_frames - self.unseen), 0))
        self.place = self.place._replace(x=self.place.x + float(ahead[0]), y=self.place.y + float(ahead[1]))
        return self.place

    def gate(self, boxes: Floats, scores: Floats, *, known: bool = True, elsewhere: bool = True) -> Gate:
        """Candidates N x 4 in image pixels and their scores N.

        known: whether the expected place is one. elsewhere: whether the target may be apart from it.
        What is there after coasting, or where it was not seen and its place is unknown, must be found again.
        """
        overlap = arithmetic.iou(tuple(self.place), boxes) * known
        near, far = self._needed()
        needed = far + (near - far) * np.minimum(overlap / AT_PLACE, 1.0)
        if self.config.distractor_share:
            claimed = self.distractors.claims(boxes, overlap, self.number, self.step)
            needed = np.where(claimed, np.maximum(needed, self.config.distractor_share), needed)
        if self.unseen <= self.config.coast_frames:
            needed = np.maximum(near, needed * self.steadiness)
        elsewhere = elsewhere and (known or not self.unseen) and self.unseen <= self.config.coast_frames
        if self.config.far_share and not elsewhere:
            needed = np.where(overlap < SAME_OBJECT, np.inf, needed)
        needed = needed * self.usual
        return Gate(overlap, (scores >= needed) & (scores >= self.config.least_score), known)

    @property
    def steadiness(self) -> float:
        """How far the expected place can be relied on, from 0 to 1."""
        return min(max(2 - self.motion.error / STEADY, 0.0), 1.0)

    def followed(self, boxes: Floats, scores: Floats, gate: Gate, cell: int, box: Box) -> float:
        """The candidate `cell` is the target, now at `box`. Returns its score as it is trusted."""
        score = float(scores[cell])
        ordinary = score >= ORDINARY * self.usual
        self.doubt, doubt = max(self.doubt - self.step / PATIENCE_FRAMES, 0.0), 0.0
        if self.unseen or not ordinary or not gate.known:
            in_series = not self.unseen and self.number - self._cut <= PATIENCE_FRAMES
            shared = overlap_with_place(boxes, gate, cell, self.place if in_series else None)
            doubt = self.steadiness * (1 - min(shared / AT_PLACE, 1.0))
            self.doubt = max(self.doubt, doubt)
            if not gate.known:
                self._cut = self.number
        else:
            size = float(np.sqrt(self._last.width * self._last.height))
            self.motion.learn(np.subtract(box.center, self._last.center), self.step, size)
        self._learn_distractors(boxes, scores, np.array([box, boxes[cell]]), score if ordinary else None)
        self.place, self.unseen, self.poor = box, 0, 0 if ordinary else self.poor + self.step
        self.is_supposed, self.is_apart = False, doubt > 1 - SAME_OBJECT / AT_PLACE
        if ordinary:
            self.usual += USUAL_RATE * min(self.step, 1.0) * (score - self.usual)
        return self.trusted(score)

    def trusted(self, score: float) -> float:
        """What is left of a score while there is doubt."""
        return score * (1 - self.doubt * self.config.far_share / 2)

    def missed(self, boxes: Floats, scores: Floats, gate: Gate, *, learns: bool = True) -> float:
        """No candidate is the target. Returns the score at the expected place, or of what scores too little anywhere.

        Never more than what would have been enough. learns: that what is elsewhere now is something else.
        """
        self.unseen += self.step
        self.poor += self.step
        # What is elsewhere when the target has just gone has not come from its place.
        just_gone = learns and self.unseen <= max(self.step, self.config.coast_frames // 2)
        self._learn_distractors(boxes, scores, np.array([self.place]), np.inf if just_gone else None)
        counted = scores[(gate.overlap >= SAME_OBJECT) | (scores < self.enough)]
        return min(float(counted.max(initial=0.0)), self.enough)

    def beside(self, score: float) -> None:
        """So much scores what looks most like the target beside it, or has lately: either may be the one."""
        self.rival = max(score, self.rival * math.exp(-self.step / PATIENCE_FRAMES))

    @property
    def enough(self) -> float:
        """Score that is needed where the target is expected."""
        return max(self.config.near_share * self.usual, self.config.least_score)

    @property
    def is_away(self) -> bool:
        """Whether it is to be looked for elsewhere as well: it is not seen, or has been seen badly for a while."""
        return bool(self.unseen) or self.poor > self.config.coast_frames

    def is_followed(self, box: Box) -> bool:
        """Whether what is there is what is followed."""
        return not self.unseen and bool(arithmetic.iou(tuple(self.place), np.array([box]))[0] >= SAME_OBJECT)

    @property
    def is_well_seen(self) -> bool:
        """Whether there is no doubt of it in the frame just followed."""
        return not (self.unseen or self.poor or self.doubt)

    def without_distractors(self, boxes: Floats, scores: Floats) -> Floats:
        """The scores, 0 of candidates that are known to be something else and score too little to refute that."""
        if not self.config.distractor_share:
            return scores
        claimed = self.distractors.claims(boxes, np.zeros(len(boxes)), self.number, self.step)
        return np.where(claimed & (scores < self.config.distractor_share * self.usual), 0.0, scores)

    def found_again(self, box: Box) -> None:
        """It is there: beyond doubt, unless something else was followed until now. It does not move on as it did."""
        self.doubt = 0.0 if self.unseen else 1.0
        self.place, self.unseen, self.poor, self.is_supposed, self.is_apart = box, 0, 0, False, True
        self.motion.speeds[:] = 0.0

    def suppose(self, boxes: Floats, scores: Floats) -> None:
        """It may be where something scores most, ever less the longer it is away: it is waited for there.

        Not followed: it must be found again, and nobody is shown a box of what is away for so long.
        """
        waited = (self.unseen - self.config.coast_frames) / PATIENCE_FRAMES
        scores = self.without_distractors(boxes, scores)
        best = int(scores.argmax())
        if waited <= 0 or scores[best] <= max(self.config.far_share * (1 - waited) * self.usual, self.enough):
            return
        x, y = Box(*boxes[best].tolist()).center
        self.place = arithmetic.from_center(x, y, self.place.width, self.place.height)
        self.is_supposed = True

    def wait_at(self, place: Box) -> None:
        """It is expected there from now on, whatever its motion was."""
        self.place, self.is_supposed = place, False

    def _needed(self) -> tuple[float, float]:
        """Shares of the usual score at the expected place and elsewhere: of one that was long away nearly all of it."""
        config = self.config
        if not self.unseen:
            return config.near_share, max(config.near_share, min(ORDINARY, config.far_share))
        far = max(config.near_share, config.far_share)
        return (config.near_share if self.unseen <= config.coast_frames else min(ORDINARY, far)), far

    def _learn_distractors(self, boxes: Floats, scores: Floats, target: Floats, below: float | None = None) -> None:
        if self.config.distractor_share:
            self.distractors.learn(boxes, scores, target, self.number, below)


def overlap_with_place(boxes: Floats, gate: Gate, cell: int, again: Box | None) -> float:
    """Of the candidate `cell`, one of `boxes` N x 4, with where the target was expected; after a cut with `again`.

    again: where it would be if nothing had been cut, for a cut that is not the first of a series; None: 0 after a cut.
    To a camera that yaws, or looks at what has no features, each frame is a cut.
    """
    if gate.known:
        return float(gate.overlap[cell])
    return 0.0 if again is None else float(arithmetic.iou(tuple(again), boxes[cell : cell + 1])[0])
