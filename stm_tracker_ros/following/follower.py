"""Follows one target with any paper's matcher: where to look, which candidate is it, is it there, how large is it.

| papers | here | effect |
|---|---|---|
| the best candidate is followed, however bad | `presence.py` decides who may be it | a hidden target is not swapped |
| the search region stays where the last box was | it moves with the picture and with the target | pans, gusts |
| what was answered is remembered | only what was found | a miss teaches nothing |

`config.py` says which settings give the papers' behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stm_tracker_ros.core import boxes, masks
from stm_tracker_ros.core.config import with_live
from stm_tracker_ros.core.errors import NotInitialisedError
from stm_tracker_ros.core.matching import Candidates, Evidence, Floats, Look
from stm_tracker_ros.core.protocol import Matcher
from stm_tracker_ros.core.types import Box, Frame, Result, Target
from stm_tracker_ros.following.camera_motion import CameraMotion
from stm_tracker_ros.following.candidates import distinct
from stm_tracker_ros.following.config import FollowingConfig
from stm_tracker_ros.following.presence import Gate, Presence
from stm_tracker_ros.following.prior import hann_window, size_penalty
from stm_tracker_ros.following.search import search_factor
from stm_tracker_ros.following.size import followed_size
from stm_tracker_ros.parts.crop import cut, mean_colour
from stm_tracker_ros.parts.mask_box import fit

NOMINAL_PERIOD_NS = 1_000_000_000 / 30


class Best(NamedTuple):
    """A candidate: its number, box in the image, score, penalty, and the score with penalty and window."""

    number: int
    box: Box
    score: float
    penalty: float
    rank: float


class Answered(NamedTuple):
    """The last frame's look, what was seen in it, the candidate that is the target, how good it is."""

    look: Look
    candidates: Candidates
    chosen: int
    evidence: Evidence


@dataclass
class _Followed:
    """All that is known of the present target, beside what its matcher knows."""

    box: Box
    fill: tuple[float, float, float]
    first_stamp_ns: int
    presence: Presence
    camera: CameraMotion | None
    glance: Box | None = None  # looked at closely in the next frame, and only there
    learnable: Answered | None = None  # found, not yet remembered


class Follower:
    """The Tracker of `core/protocol.py` around one matcher."""

    def __init__(self, matcher: Matcher, config: FollowingConfig) -> None:
        self.matcher, self._given, self.config = matcher, config, config.rules
        self.state: _Followed | None = None

    def init(self, frame: Frame, target: Target) -> Result:
        """Start on `frame`. Raises TargetError if the target lies outside the image or has no area."""
        box = self._limited(boxes.of_target(target, frame.width, frame.height), frame)
        fill = mean_colour(frame, box.center, self._side(box))
        candidates = self.matcher.start(self._look(frame, 1, box, fill), target)
        presence = Presence(self.config.presence, box, 1)
        camera = CameraMotion(frame) if self.config.search.camera_motion else None
        self.state = _Followed(box, fill, frame.stamp_ns, presence, camera)
        segment = candidates.segment
        if segment is None:
            return Result(box=box, score=1.0)
        if target.mask is None:
            return Result(box=box, score=1.0, mask=segment.pixels, rotated=segment.rotated)
        given = masks.binary(target.mask)
        whole = fit(given)
        return Result(box=box, score=1.0, mask=given, rotated=None if whole is None else whole.rotated)

    def track(self, frame: Frame) -> Result:
        """Find the target in the next frame. Raises NotInitialisedError before `init`."""
        state = self._started()
        presence = state.presence
        number = max(self._number(frame), presence.number + 1)
        expected = presence.expect(number, self._camera_motion(frame))
        expected = state.glance or expected
        factor = 1.0 if state.glance else search_factor(self.config, presence.unseen)
        look = self._look(frame, number, self._limited(expected, frame), state.fill, factor)
        candidates = self.matcher.match([look])[0]
        places, scores = _in_image(candidates), candidates.scores * candidates.trust
        gate = presence.gate(places, scores)
        found = _is_something(candidates) and bool(gate.allowed.any())
        best = self._choose(look, candidates, scores, gate)
        if found:
            score = self._follow(look, best, places, scores, gate)
        else:
            score = presence.missed(places, scores, gate)
            self._wait(look, candidates, best)
        chosen = best.number if found else None
        self.matcher.settle(look, candidates, chosen, best.rank)
        evidence = Evidence(score, score / presence.usual)
        state.learnable = Answered(look, candidates, best.number, evidence) if found else None
        return self._result(look, candidates, best, expected, score, found, places, scores)

    def memorize(self) -> None:
        """Let the matcher learn from the frame just answered, if the target was found in it."""
        state = self._started()
        answered, state.learnable = state.learnable, None
        if answered is not None:
            look, candidates, chosen, evidence = answered
            self.matcher.remember(look, candidates, chosen, state.box, evidence)

    def reconfigure(self, config: FollowingConfig) -> None:
        """Use the live settings of `config` from the next frame on. Raises ConfigError if it is of another tracker."""
        self._given = with_live(self._given, config)
        self.config = self._given.rules
        self.matcher.reconfigure(self.config)
        if self.state is not None:
            self.state.presence.config = self.config.presence

    def _started(self) -> _Followed:
        if self.state is None:
            raise NotInitialisedError("no target yet; call init(frame, target) first")
        return self.state

    def _number(self, frame: Frame) -> int:
        return 1 + round((frame.stamp_ns - self._started().first_stamp_ns) / NOMINAL_PERIOD_NS)

    def _side(self, box: Box) -> float:
        return self.config.area_factor * float(np.sqrt(box.width * box.height))

    def _camera_motion(self, frame: Frame) -> tuple[float, float]:
        """How far it has moved the image since the frame before, pixels."""
        state = self._started()
        if state.camera is None:
            return 0.0, 0.0
        side = self._side(state.box)
        return state.camera.to(frame, boxes.from_center(*state.box.center, side, side))

    def _look(
        self, frame: Frame, number: int, expected: Box, fill: tuple[float, float, float], factor: float = 1.0
    ) -> Look:
        patch, crop = cut(frame, expected.center, self._side(expected) * factor, self.matcher.crop_size, fill)
        return Look(
            frame=frame, number=number, crop=crop, patch=patch, fill=fill, expected=expected, search_factor=factor
        )

    def _choose(self, look: Look, candidates: Candidates, scores: Floats, gate: Gate) -> Best:
        """The best candidate under the prior, of the allowed ones if there are any."""
        prior, scale = self.config.prior, candidates.crop.scale
        expected = look.expected.width / scale, look.expected.height / scale
        penalty = size_penalty(candidates.boxes[:, 2:], expected, prior.penalty)
        rank = penalty * scores * (1 - prior.window) + hann_window(*candidates.grid) * prior.window
        best = int((np.where(gate.allowed, rank, -np.inf) if gate.allowed.any() else rank).argmax())
        box = candidates.crop.to_image(Box(*candidates.boxes[best].tolist()))
        return Best(best, box, float(scores[best]), float(penalty[best]), float(rank[best]))

    def _follow(self, look: Look, best: Best, places: Floats, scores: Floats, gate: Gate) -> float:
        """The target is found: its box from now on. Returns the score as it is trusted."""
        state = self._started()
        width, height = followed_size(self.config.size, look.expected, best.box, best.penalty * best.score)
        state.box = self._limited(boxes.from_center(*best.box.center, width, height), look.frame)
        state.glance = None
        return state.presence.followed(places, scores, gate, best.number, state.box)

    def _wait(self, look: Look, candidates: Candidates, best: Best) -> None:
        """The target is not found: it is waited for, with one close look at what may be it."""
        state = self._started()
        place = state.presence.place
        state.box = self._limited(place, look.frame)
        if candidates.peaks:
            center = candidates.peaks[0]
            state.box = self._limited(boxes.from_center(*center, place.width, place.height), look.frame)
            state.presence.wait_at(state.box)
        looked, state.glance = state.glance, None
        raw = float(candidates.scores[best.number])
        if looked is None and _is_something(candidates) and raw > self.config.search.glance_score:
            glance = boxes.from_center(*best.box.center, place.width, place.height)
            state.glance = self._limited(glance, look.frame)

    def _result(
        self,
        look: Look,
        candidates: Candidates,
        best: Best,
        expected: Box,
        score: float,
        found: bool,
        places: Floats,
        scores: Floats,
    ) -> Result:
        box, segment = self._started().box, candidates.segment
        if segment is not None and _is_something(candidates):
            box = self._limited(best.box, look.frame)
        return Result(
            box=box,
            score=float(np.clip(score, 0.0, 1.0)),
            mask=None if segment is None else segment.pixels,
            rotated=None if segment is None else segment.rotated,
            found=found,
            expected=expected,
            region=candidates.crop.region(self.matcher.crop_size),
            candidates=distinct(places, scores, best.number if found else None) if _is_something(candidates) else (),
        )

    def _limited(self, box: Box, frame: Frame) -> Box:
        """Centre inside the image, sides from the smallest allowed to the image's."""
        low = self.config.size.smallest_side
        width = min(max(box.width, low), max(frame.width, low))
        height = min(max(box.height, low), max(frame.height, low))
        x, y = box.center
        return boxes.from_center(min(max(x, 0.0), frame.width), min(max(y, 0.0), frame.height), width, height)


def _is_something(candidates: Candidates) -> bool:
    """Whether there is anything at all that may be the target: a mask may be empty."""
    return candidates.segment is None or candidates.segment.rotated is not None


def _in_image(candidates: Candidates) -> Floats:
    """The candidates' boxes, N x 4: x, y, width, height in image pixels."""
    crop, low = candidates.crop, candidates.boxes[:, :2]
    low, high = low * crop.scale, (low + candidates.boxes[:, 2:]) * crop.scale
    return np.concatenate([low + (crop.left, crop.top), high - low], 1)
